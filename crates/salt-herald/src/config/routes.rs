//! The `routes` list: each route's conditions, and the sinks and channels that it leads to.
//!
//! What a route does with a run is decided in [`herald_core::route`]; here it is only read, and
//! looked over for what can't be meant.

use std::collections::{BTreeMap, BTreeSet};

use herald_core::route::{Condition, Globs, Outcome, Route, Unreachable, unreachable_routes};
use herald_core::run::RunKind;

use super::problem::{Problem, Severity};
use super::suggest::closest;
use super::table::{Given, Table};
use super::values::{Mismatch, Placed, boolean, line, loose_texts, placed_texts, texts};
use super::yaml::{Node, Place, Value, join};
use super::{ChannelConfig, SlackAccess, SlackConfig, schema};

/// The sinks that routes can name.
pub(super) struct Sinks<'a> {
    /// All names in the config and where they stand, those of sinks with a mistake, too.
    pub(super) named: &'a [(String, Place)],
    /// Those that could be read.
    pub(super) read: &'a BTreeMap<String, SlackConfig>,
}

/// What the list says.
#[derive(Default)]
pub(super) struct Routes {
    pub(super) routes: Vec<Route>,
    /// Channels of bots, other than their own, by the name that routes give them.
    pub(super) channels: BTreeMap<String, ChannelConfig>,
}

/// A route with what is needed to complain of it.
struct Read {
    route: Route,
    path: String,
    place: Place,
    /// Where its conditions stand, by their key.
    keys: BTreeMap<String, Place>,
}

/// Reads all routes, in their order.
pub(super) fn read(
    given: Option<Given<Vec<Node>>>,
    sinks: &Sinks<'_>,
    problems: &mut Vec<Problem>,
) -> Routes {
    let nodes = given.map(|given| given.value).unwrap_or_default();
    if nodes.is_empty() {
        return Routes::default();
    }
    let before = problems.len();
    let mut channels = BTreeMap::new();
    let mut reader = Reader { sinks, channels: &mut channels, problems };
    let routes: Vec<Read> =
        nodes.into_iter().enumerate().filter_map(|(at, node)| reader.route(at, node)).collect();
    // What can't be read may be what is missing.
    if problems.len() == before {
        warn_unreachable(&routes, problems);
        warn_unnamed(&routes, &channels, sinks, problems);
    }
    Routes { routes: routes.into_iter().map(|read| read.route).collect(), channels }
}

/// A list of tables.
pub(super) fn items(value: Value) -> Result<Vec<Node>, Mismatch> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::List(nodes) => Ok(nodes),
        other => Err(Mismatch::new(format!("must be a list of routes, not {}", other.kind()))
            .hint("begin each route with \"- \": their order matters")),
    }
}

/// From globs to a condition.
type Make = fn(Globs) -> Condition;

struct Reader<'a, 'b> {
    sinks: &'a Sinks<'b>,
    channels: &'a mut BTreeMap<String, ChannelConfig>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_, '_> {
    fn route(&mut self, at: usize, node: Node) -> Option<Read> {
        let path = format!("routes[{}]", at + 1);
        let entries = match node.value {
            Value::Map(entries) => entries,
            other => {
                let message =
                    format!("must be a table of conditions and \"to\", not {}", other.kind());
                self.problems.push(
                    Problem::at(&node.place, path, message)
                        .hint("write it like {fun: \"state.*\", to: SINK}"),
                );
                return None;
            }
        };
        let keys = entries.iter().map(|entry| (entry.key.clone(), entry.place.clone())).collect();
        let mut table = Table::new(path.clone(), node.place.clone(), entries);
        let mut read = Read {
            route: Route::new(None, Vec::new(), Vec::new(), false),
            path,
            place: node.place,
            keys,
        };
        let name = table.take("name", line, self.problems).map(|given| given.value);
        let conditions = self.conditions(&mut table, &mut read);
        let nowhere = table.problem("does not say where to: \"to\" is missing");
        let is_given = table.mention("to").is_some();
        let to = table.take("to", placed_texts, self.problems);
        let goes_on =
            table.take("continue", boolean, self.problems).is_some_and(|given| given.value);
        table.finish(schema::elsewhere("routes"), self.problems);
        if !is_given {
            let names: Vec<&str> = self.sinks.named.iter().map(|(name, _)| name.as_str()).collect();
            let hint =
                format!("name sinks ({}), or write \"to: []\" to say it nowhere", names.join(", "));
            self.problems.push(nowhere.hint(hint));
        }
        let to = to.map(|given| {
            given.value.iter().filter_map(|to| self.place(&given.key, &given.place, to)).collect()
        });
        read.route = Route::new(name, conditions, to.unwrap_or_default(), goes_on);
        Some(read)
    }

    fn conditions(&mut self, table: &mut Table, read: &mut Read) -> Vec<Condition> {
        let mut found = Vec::new();
        let kind = |name: &str| RunKind::from_name(name);
        let kinds: Vec<&str> = RunKind::ALL.iter().map(|kind| kind.name()).collect();
        found.extend(self.words(table, "kind", "kind of run", &kinds, kind).map(Condition::Kind));
        let outcome = |name: &str| Outcome::from_name(name);
        let outcomes: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        let words = self.words(table, "outcome", "outcome", &outcomes, outcome);
        found.extend(words.map(Condition::Outcome));
        let test = table.take("test", boolean, self.problems);
        found.extend(test.map(|given| Condition::Test(given.value)));
        let keys: [(&'static str, Make); 5] = [
            ("fun", Condition::Fun),
            ("user", Condition::User),
            ("target", Condition::Target),
            ("saltenv", Condition::Saltenv),
            ("minion", Condition::Minion),
        ];
        for (key, condition) in keys {
            let globs = table.take(key, globs, self.problems);
            found.extend(globs.map(|given| condition(Globs::new(given.value))));
        }
        for entry in table.table("metadata", self.problems).into_entries() {
            let key = format!("metadata.{}", entry.key);
            read.keys.insert(key.clone(), entry.place.clone());
            match metadata_globs(entry.node.value) {
                Ok(texts) => found.push(Condition::Metadata(entry.key, Globs::new(texts))),
                Err(mismatch) => {
                    self.problems.push(mismatch.at(&entry.place, join(&read.path, &key)))
                }
            }
        }
        found
    }

    /// A list of words, each of which must be known.
    fn words<T>(
        &mut self,
        table: &mut Table,
        key: &'static str,
        what: &str,
        known: &[&str],
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let given = table.take(key, placed_texts, self.problems)?;
        let mut found = Vec::new();
        for word in &given.value {
            match read(&word.text) {
                Some(value) => found.push(value),
                None => {
                    let message = match closest(&word.text, known) {
                        Some(meant) => {
                            format!("holds what is no {what}; did you mean \"{meant}\"?")
                        }
                        None => format!("holds what is no {what}"),
                    };
                    let place = word.place.as_ref().unwrap_or(&given.place);
                    self.problems.push(
                        Problem::at(place, given.key.clone(), message)
                            .hint(format!("known: {}", known.join(", "))),
                    );
                }
            }
        }
        Some(found)
    }

    /// The name of a place that a route leads to, which is a sink or one of its channels.
    fn place(&mut self, key: &str, place: &Place, to: &Placed) -> Option<String> {
        let text = to.text.as_str();
        if self.is_sink(text) {
            return Some(text.to_owned());
        }
        let place = to.place.as_ref().unwrap_or(place);
        let problem = |message: String| Problem::at(place, key, message);
        let found = text.split_once('#').map(|(sink, channel)| (sink.trim(), channel.trim()));
        match found {
            Some((sink, channel)) if self.is_sink(sink) && !channel.is_empty() => {
                match self.channel(sink, channel) {
                    Ok(place) => Some(place),
                    Err(why) => {
                        self.problems.push(problem(why.to_owned()).hint(
                            "name the sink alone; a webhook of an app has one channel, and one of the old kind can \
                             stand in a table of its own for each",
                        ));
                        None
                    }
                }
            }
            _ => {
                self.problems.push(self.unknown(text, problem));
                None
            }
        }
    }

    fn unknown(&self, text: &str, problem: impl Fn(String) -> Problem) -> Problem {
        let names: Vec<&str> = self.sinks.named.iter().map(|(name, _)| name.as_str()).collect();
        let sink = text.split('#').next().unwrap_or(text);
        let hint = match names.first() {
            None => "there is none: add one under \"slack\"".to_owned(),
            Some(first) if text.starts_with('#') => {
                format!("put the sink's name before the channel: \"{first}#channel\"")
            }
            Some(_) => format!("there are: {}", names.join(", ")),
        };
        let message = match closest(sink, &names) {
            Some(meant) => format!("names a sink that there is not; did you mean \"{meant}\"?"),
            None => "names a sink that there is not".to_owned(),
        };
        problem(message).hint(hint)
    }

    /// A channel of a sink, under a name that stays the same in the journal.
    fn channel(&mut self, sink: &str, channel: &str) -> Result<String, &'static str> {
        let place = format!("{sink}#{channel}");
        match self.sinks.read.get(sink).map(|sink| &sink.access) {
            Some(SlackAccess::Webhook { .. }) => {
                Err("names a channel, which a webhook's sink can't take")
            }
            Some(SlackAccess::Bot { channel: own, .. })
                if own.trim_start_matches('#') == channel =>
            {
                Ok(sink.to_owned())
            }
            Some(SlackAccess::Bot { .. }) => {
                let channel =
                    if is_channel_id(channel) { channel.to_owned() } else { format!("#{channel}") };
                let channel = ChannelConfig { sink: sink.to_owned(), channel };
                self.channels.insert(place.clone(), channel);
                Ok(place)
            }
            // It has a mistake of its own, which is told.
            None => Ok(place),
        }
    }

    fn is_sink(&self, name: &str) -> bool {
        self.sinks.named.iter().any(|(known, _)| known == name)
    }
}

fn globs(value: Value) -> Result<Vec<String>, Mismatch> {
    if has_nothing(&value) { Err(nothing()) } else { texts(value) }
}

fn metadata_globs(value: Value) -> Result<Vec<String>, Mismatch> {
    if has_nothing(&value) { Err(nothing()) } else { loose_texts(value) }
}

/// To YAML, `!alice` without quotes is a tag with nothing behind it.
fn has_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(items) => items.iter().any(|item| matches!(item.value, Value::Null)),
        _ => false,
    }
}

fn nothing() -> Mismatch {
    Mismatch::new("holds nothing where a glob must be")
        .hint("quote a glob that starts with \"!\", \"*\" or \"#\", or remove the key")
}

/// `C024BE91L`: names of channels have no capitals.
fn is_channel_id(channel: &str) -> bool {
    channel.starts_with(['C', 'G', 'D'])
        && channel.len() >= 8
        && channel.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn warn_unreachable(read: &[Read], problems: &mut Vec<Problem>) {
    let routes: Vec<Route> = read.iter().map(|read| read.route.clone()).collect();
    for (index, why) in unreachable_routes(&routes) {
        if let Some(read) = read.get(index) {
            problems.push(unreachable(read, &why).severity(Severity::Warning));
        }
    }
}

fn unreachable(read: &Read, why: &Unreachable) -> Problem {
    let at = |key: &str, message: &str| {
        let place = read.keys.get(key).unwrap_or(&read.place);
        Problem::at(place, join(&read.path, key), message)
    };
    match why {
        Unreachable::Empty { key } => at(key, "is empty, so that no run matches the route")
            .hint("remove the key to match whatever a run has there"),
        Unreachable::Contradicts { key } => {
            at(key, "refuses whatever it wants, so that no run matches the route")
                .hint("a glob with \"!\" before it is what may not match")
        }
        Unreachable::NotOfKind { key } => {
            at(key, "no run of the route's kinds has one, so that none matches")
                .hint("remove it, or name other kinds")
        }
        Unreachable::Behind { route } => {
            let before = format!("routes[{}]", route + 1);
            let message = format!("no run comes to it: {before} takes all that it would match");
            Problem::at(&read.place, read.path.clone(), message)
                .hint(format!("put it before {before}, or add \"continue: true\" to that"))
        }
    }
}

fn warn_unnamed(
    read: &[Read],
    channels: &BTreeMap<String, ChannelConfig>,
    sinks: &Sinks<'_>,
    problems: &mut Vec<Problem>,
) {
    let named: BTreeSet<&str> = read
        .iter()
        .flat_map(|read| &read.route.to)
        .map(|to| channels.get(to).map_or(to.as_str(), |channel| channel.sink.as_str()))
        .collect();
    for (name, place) in sinks.named {
        if !named.contains(name.as_str()) {
            problems.push(
                Problem::at(
                    place,
                    format!("slack.{name}"),
                    "no route leads to it: nothing is said there",
                )
                .hint("name it in a route's \"to\", or remove it")
                .severity(Severity::Warning),
            );
        }
    }
}
