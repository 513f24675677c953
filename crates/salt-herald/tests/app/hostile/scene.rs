//! A bus on which everybody means harm: rounds of events in which every text is a hostile string.
//!
//! It knows where a string was put. What becomes of it is the judges' matter.

use std::collections::BTreeSet;

use salt_event::Value;

use super::strings::{broken, word};
use crate::chance::Chance;
use crate::events::{Event, jid, map, map_of, text};

/// Where a string stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Function,
    Argument,
    Keyword,
    Target,
    TargetType,
    User,
    Minion,
    Missing,
    Metadata,
    Text,
    Error,
    State,
    Name,
    Comment,
    Changes,
    Schedule,
    Jid,
    Tag,
    Syndic,
    Unheard,
}

impl Place {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Function,
        Self::Argument,
        Self::Keyword,
        Self::Target,
        Self::TargetType,
        Self::User,
        Self::Minion,
        Self::Missing,
        Self::Metadata,
        Self::Text,
        Self::Error,
        Self::State,
        Self::Name,
        Self::Comment,
        Self::Changes,
        Self::Schedule,
        Self::Jid,
        Self::Tag,
        Self::Syndic,
        Self::Unheard,
    ];
}

/// Events that belong together, and the words that are said of them in the end.
pub(crate) struct Round {
    pub(crate) events: Vec<Event>,
    pub(crate) said: Vec<String>,
}

/// So many strings are for what comes from behind syndics.
const LAST: usize = 200;

pub(crate) struct Scene {
    strings: Vec<String>,
    used: Vec<(usize, Place)>,
    /// Those that were sent as no UTF-8, of which nobody can say all.
    broken: BTreeSet<usize>,
    chance: Chance,
    rounds: u32,
}

impl Scene {
    pub(crate) fn new(strings: Vec<String>, seed: u64) -> Self {
        Self {
            strings,
            used: Vec::new(),
            broken: BTreeSet::new(),
            chance: Chance::of(seed),
            rounds: 0,
        }
    }

    pub(crate) fn used(&self) -> &[(usize, Place)] {
        &self.used
    }

    /// The strings with these words, for who looks into a failure.
    pub(crate) fn find(&self, words: &BTreeSet<String>) -> Vec<(Place, &str)> {
        let used = self.used.iter().filter(|(number, _)| words.contains(&word(*number)));
        used.filter_map(|(number, place)| Some((*place, self.strings.get(*number)?.as_str())))
            .collect()
    }

    pub(crate) fn left(&self) -> usize {
        self.strings.len().saturating_sub(self.used.len())
    }

    pub(crate) fn rounds(&self) -> u64 {
        u64::from(self.rounds)
    }

    /// The next events, as long as there are strings.
    pub(crate) fn next_round(&mut self) -> Option<Round> {
        if self.left() == 0 {
            return None;
        }
        self.rounds += 1;
        let number = jid(self.rounds);
        // Where a syndic was seen, no end is believed at once: those come last.
        let round = match self.rounds % 7 {
            _ if self.left() < LAST => self.syndic(&number),
            0 => self.odd_tags(&number),
            1 => self.command(&number),
            2 => self.states(&number),
            3 => self.schedule(&number),
            4 => self.runner(&number),
            5 => self.local(&number),
            _ => self.batch(&number),
        };
        Some(round)
    }

    /// A round, of which everything is said that stands in these places.
    fn round(&self, from: usize, events: Vec<Event>, places: &[Place]) -> Round {
        let new = self.used.iter().skip(from).filter(|(number, place)| {
            places.contains(place) && !self.broken.contains(number) && *number < self.strings.len()
        });
        let said = new.map(|(number, _)| word(*number)).collect();
        Round { events, said }
    }

    /// The next string.
    fn string(&mut self, place: Place) -> String {
        let number = self.used.len();
        self.used.push((number, place));
        self.strings.get(number).cloned().unwrap_or_else(|| word(number))
    }

    /// The next string as a minion sends it: sometimes not even UTF-8.
    fn value(&mut self, place: Place) -> Value<'static> {
        let string = self.string(place);
        if !self.chance.happens(10) {
            return text(&string);
        }
        self.broken.insert(self.used.len() - 1);
        broken(&mut self.chance, &string)
    }

    /// The next string where ids are bounded.
    fn id(&mut self, place: Place) -> String {
        // Two line ends are the end of a tag.
        let mut string = self.string(place);
        while string.contains("\n\n") {
            string = string.replace("\n\n", "\n");
        }
        let end = (0..=200.min(string.len())).rev().find(|end| string.is_char_boundary(*end));
        string[..end.unwrap_or(0)].trim_end_matches('\n').to_owned()
    }

    /// A command by somebody, on two minions; one returns text, the other a tree.
    fn command(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let (user, fun) = (self.string(Place::User), self.string(Place::Function));
        let minions = [self.id(Place::Minion), self.id(Place::Minion)];
        let arg = self.arguments();
        let new = self.load(jid, &user, &fun, &arg, &minions);
        let said = self.value(Place::Text);
        let tree = map_of(vec![(
            self.value(Place::Unheard),
            Value::Array(vec![self.value(Place::Unheard)]),
        )]);
        let events = vec![
            Event { tag: format!("salt/job/{jid}/new"), data: map(new) },
            self.ret(jid, &minions[0], &fun, &arg, said),
            self.ret(jid, &minions[1], &fun, &arg, tree),
        ];
        self.round(
            from,
            events,
            &[Place::User, Place::Function, Place::Minion, Place::Missing, Place::Text],
        )
    }

    /// A state run: one minion returns states, the other why there are none.
    fn states(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let user = self.string(Place::User);
        let minions = [self.id(Place::Minion), self.id(Place::Minion)];
        let arg = self.arguments();
        let new = self.load(jid, &user, "state.apply", &arg, &minions);
        let states = (0..3).map(|_| self.state()).collect();
        let errors = Value::Array(vec![self.value(Place::Error), self.value(Place::Unheard)]);
        let events = vec![
            Event { tag: format!("salt/job/{jid}/new"), data: map(new) },
            self.ret(jid, &minions[0], "state.apply", &arg, map_of(states)),
            self.ret(jid, &minions[1], "state.apply", &arg, errors),
        ];
        self.round(
            from,
            events,
            &[
                Place::User,
                Place::Minion,
                Place::Missing,
                Place::State,
                Place::Comment,
                Place::Error,
            ],
        )
    }

    /// What a minion's schedule ran, and its return is all that is known.
    fn schedule(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let schedule = self.string(Place::Schedule);
        let (fun, minion) = (self.string(Place::Function), self.id(Place::Minion));
        let said = map_of(vec![self.state()]);
        let mut event = self.ret(jid, &minion, &fun, &[], said);
        put(&mut event, "schedule", text(&schedule));
        self.round(
            from,
            vec![event],
            &[Place::Schedule, Place::Function, Place::Minion, Place::State, Place::Comment],
        )
    }

    /// A runner, which returns itself.
    fn runner(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let (user, fun) = (self.string(Place::User), self.string(Place::Function));
        let arg = self.arguments();
        let call = vec![
            ("jid", text(jid)),
            ("fun", text(&format!("runner.{fun}"))),
            ("fun_args", Value::Array(arg)),
            ("user", text(&user)),
        ];
        let mut ret = call.clone();
        ret.extend([("return", self.value(Place::Error)), ("success", Value::Bool(false))]);
        let events = vec![
            Event { tag: format!("salt/run/{jid}/new"), data: map(call) },
            Event { tag: format!("salt/run/{jid}/ret"), data: map(ret) },
        ];
        self.round(from, events, &[Place::User, Place::Function, Place::Argument, Place::Error])
    }

    /// `salt-call` on a minion.
    fn local(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let (fun, minion) = (self.string(Place::Function), self.id(Place::Minion));
        let arg = self.arguments();
        let said = self.value(Place::Error);
        let event = self.ret(jid, &minion, &fun, &arg, said);
        self.round(
            from,
            vec![event],
            &[Place::Function, Place::Argument, Place::Minion, Place::Error],
        )
    }

    /// A batch, as 3008 tells of it.
    fn batch(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let user = self.string(Place::User);
        let minions = [self.id(Place::Minion), self.id(Place::Minion)];
        let all = Value::Array(minions.iter().map(|minion| text(minion)).collect());
        let state = map(vec![
            ("all_minions", all),
            ("arg", Value::Array(self.arguments())),
            ("batch_size", Value::Int(1)),
        ]);
        let data = map(vec![
            ("jid", text(jid)),
            ("tgt", self.value(Place::Target)),
            ("tgt_type", self.value(Place::TargetType)),
            ("user", text(&user)),
            ("fun", text(&self.string(Place::Function))),
            ("state", state),
        ]);
        let events = vec![Event { tag: format!("salt/batch/{jid}/new"), data }];
        self.round(from, events, &[Place::User, Place::Function, Place::Target, Place::Argument])
    }

    /// A job below a syndic.
    fn syndic(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let (user, fun) = (self.string(Place::User), self.string(Place::Function));
        let syndic = self.id(Place::Syndic).replace('/', "|");
        let minions = [self.id(Place::Minion), self.id(Place::Minion)];
        let arg = self.arguments();
        let new = self.load(jid, &user, &fun, &arg, std::slice::from_ref(&syndic));
        let below = Value::Array(minions.iter().map(|minion| text(minion)).collect());
        let said = self.value(Place::Error);
        let events = vec![
            Event { tag: format!("salt/job/{jid}/new"), data: map(new) },
            Event { tag: format!("syndic/{syndic}/{jid}"), data: map(vec![("minions", below)]) },
            self.ret(jid, &minions[0], &fun, &arg, said),
        ];
        self.round(from, events, &[Place::User, Place::Function])
    }

    /// Tags and jids of a minion's own making, and what one says in another's name.
    fn odd_tags(&mut self, jid: &str) -> Round {
        let from = self.used.len();
        let user = self.string(Place::User);
        let odd_jid: String = self.string(Place::Jid).replace('/', "|").chars().take(12).collect();
        let minion = self.id(Place::Minion);
        let fun = self.string(Place::Function);
        let new = self.load(&odd_jid, &user, &fun, &[], std::slice::from_ref(&minion));
        let said = self.value(Place::Error);
        let mut forged = self.ret(jid, &minion, &fun, &[], said);
        put(&mut forged, "cmd", text("_minion_event"));
        let unheard = map_of(vec![(self.value(Place::Unheard), self.value(Place::Unheard))]);
        let events = vec![
            Event { tag: self.string(Place::Tag), data: unheard.clone() },
            Event { tag: format!("salt/{}/x", self.string(Place::Tag)), data: unheard },
            forged,
            Event { tag: format!("salt/job/{odd_jid}/new"), data: map(new) },
        ];
        self.round(from, events, &[Place::User, Place::Function])
    }

    /// A job's load.
    fn load(
        &mut self,
        jid: &str,
        user: &str,
        fun: &str,
        arg: &[Value<'static>],
        minions: &[String],
    ) -> Vec<(&'static str, Value<'static>)> {
        vec![
            ("jid", text(jid)),
            ("tgt", self.value(Place::Target)),
            ("tgt_type", self.value(Place::TargetType)),
            ("user", text(user)),
            ("fun", text(fun)),
            ("arg", Value::Array(arg.to_vec())),
            ("minions", Value::Array(minions.iter().map(|minion| text(minion)).collect())),
            ("missing", Value::Array(vec![text(&self.id(Place::Missing))])),
            ("metadata", map_of(vec![(self.value(Place::Metadata), self.value(Place::Metadata))])),
        ]
    }

    fn arguments(&mut self) -> Vec<Value<'static>> {
        let pillar = map_of(vec![(self.value(Place::Keyword), self.value(Place::Keyword))]);
        let keywords = map_of(vec![
            (text("__kwarg__"), Value::Bool(true)),
            (self.value(Place::Keyword), self.value(Place::Keyword)),
            (text("pillar"), pillar),
        ]);
        vec![self.value(Place::Argument), keywords]
    }

    fn ret(
        &mut self,
        jid: &str,
        minion: &str,
        fun: &str,
        arg: &[Value<'static>],
        said: Value<'static>,
    ) -> Event {
        let mut event = crate::events::ret_of(jid, minion, fun, arg.to_vec(), said, 1);
        take(&mut event, "user");
        put(&mut event, "out", self.value(Place::Unheard));
        event
    }

    /// A state that failed, with its key.
    fn state(&mut self) -> (Value<'static>, Value<'static>) {
        let (id, name) = (self.string(Place::State), self.string(Place::Name));
        let key = format!("{id}_|-{id}_|-{name}_|-managed");
        let data = map(vec![
            ("result", Value::Bool(false)),
            ("changes", map_of(vec![(self.value(Place::Changes), self.value(Place::Changes))])),
            ("comment", self.value(Place::Comment)),
            ("name", text(&name)),
            ("__sls__", self.value(Place::Name)),
            ("__id__", text(&id)),
            ("__run_num__", Value::Int(0)),
        ]);
        (text(&key), data)
    }
}

/// Puts a member in place of the one that is there.
fn put(event: &mut Event, name: &str, value: Value<'static>) {
    take(event, name);
    if let Value::Map(members) = &mut event.data {
        members.push((text(name), value));
    }
}

fn take(event: &mut Event, name: &str) {
    if let Value::Map(members) = &mut event.data {
        members.retain(|(known, _)| *known != text(name));
    }
}
