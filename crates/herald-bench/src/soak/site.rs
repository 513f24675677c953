//! What a busy site does in an hour, and when each of it is due at many times that rate.
//!
//! A site of 500 minions. That many people and schedules are a guess from above, not a measurement; the
//! polling is what Salt's own client does to each run by default.

use std::collections::BTreeMap;
use std::time::Duration;

use salt_event::Value;

use crate::fleet::{Likeness, command_by, frame, jid, map, new_job, stamp, states};

/// How many minions the site has.
pub(super) const MINIONS: usize = 500;

/// What happens there again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody's shell command.
    Command,
    /// Somebody's highstate: in each second one a minion fails, in each eighth one a minion comes late.
    Highstate,
    /// A minion's highstate by its schedule; one of fifty fails.
    Scheduled,
    /// A highstate by `salt-call`.
    SaltCall,
    /// A client asks whether minions still work on a job.
    FindJob,
}

/// So often an hour, on so many minions.
const HOUR: [(Kind, f64, usize); 5] = [
    (Kind::Command, 60.0, 10),
    (Kind::Highstate, 12.0, 50),
    (Kind::Scheduled, MINIONS as f64, 1),
    (Kind::SaltCall, 20.0, 1),
    // Each of the highstates takes two minutes, and gather_job_timeout is ten seconds.
    (Kind::FindJob, 144.0, 25),
];

/// Not faster than the rest, since a site with more work has no more of these.
const HANG_UP_EVERY: Duration = Duration::from_secs(61);
const REFUSE_EVERY: Duration = Duration::from_secs(19);
/// Until the last return of a highstate, and until one that comes when nobody waits any more.
const HIGHSTATE_TAKES: Duration = Duration::from_secs(10);
const LATE: Duration = Duration::from_secs(45);

/// What is due.
#[derive(Debug)]
pub(super) enum Deed {
    Call(Kind),
    Return(Return),
    HangUp,
    Refuse,
}

/// A minion by its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minion(pub(super) usize);

impl Minion {
    pub(super) fn id(self) -> String {
        format!("web{:05}.example.com", self.0)
    }
}

/// How a return comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Good,
    Failed,
}

/// What minions were told to do.
#[derive(Debug, Clone)]
pub(super) struct Call {
    jid: String,
    fun: &'static str,
    args: Vec<String>,
    /// `schedule` for what no person began, `tgt` for `salt-call`.
    by: Option<&'static str>,
}

impl Call {
    pub(super) fn shell(jid: String, line: &str) -> Self {
        Self { jid, fun: "cmd.run", args: vec![line.to_owned()], by: None }
    }

    fn highstate(jid: String, by: Option<&'static str>) -> Self {
        Self { jid, fun: "state.highstate", args: Vec::new(), by }
    }
}

/// A return that is still to come.
#[derive(Debug)]
pub(super) struct Return {
    call: Call,
    minion: Minion,
    outcome: Outcome,
}

impl Return {
    pub(super) fn frame(&self) -> Vec<u8> {
        ret(&self.call, self.minion, self.outcome)
    }
}

/// What a call puts on the bus at once.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) frames: Vec<Vec<u8>>,
    pub(super) jid: String,
    /// How many of the frames are returns of it.
    pub(super) returns: usize,
}

/// What is due when.
pub(super) struct Site {
    times: f64,
    length: Duration,
    due: BTreeMap<(Duration, usize), Deed>,
    /// Numbers what is due, and the jobs.
    planned: usize,
    jobs: usize,
    /// The highstate that is asked about.
    latest: String,
}

impl Site {
    pub(super) fn new(times: f64, length: Duration) -> Self {
        let (due, latest) = (BTreeMap::new(), jid(0));
        let mut site = Self { times, length, due, planned: 0, jobs: 0, latest };
        for (kind, _, _) in HOUR {
            site.plan(site.every(kind), Deed::Call(kind));
        }
        site.plan(HANG_UP_EVERY, Deed::HangUp);
        site.plan(REFUSE_EVERY, Deed::Refuse);
        site
    }

    /// In the long run.
    pub(super) fn events_per_second(&self) -> f64 {
        let an_hour = |(kind, often, minions): (Kind, f64, usize)| match kind {
            Kind::Scheduled | Kind::SaltCall => often,
            _ => often * (1 + minions) as f64,
        };
        HOUR.map(an_hour).iter().sum::<f64>() * self.times / 3600.0
    }

    /// Whether a moment is within the time in which calls are made.
    pub(super) fn is_within(&self, due: Duration) -> bool {
        due < self.length
    }

    /// The next deed; nothing when all is over.
    pub(super) fn next(&mut self) -> Option<(Duration, Deed)> {
        let ((due, _), deed) = self.due.pop_first()?;
        let again = match deed {
            Deed::Call(kind) => Some((self.every(kind), Deed::Call(kind))),
            Deed::HangUp => Some((HANG_UP_EVERY, Deed::HangUp)),
            Deed::Refuse => Some((REFUSE_EVERY, Deed::Refuse)),
            Deed::Return(_) => None,
        };
        if let Some((every, deed)) = again
            && self.is_within(due + every)
        {
            self.plan(due + every, deed);
        }
        Some((due, deed))
    }

    /// Begins something; its returns become due.
    pub(super) fn call(&mut self, kind: Kind, now: Duration) -> Begun {
        self.jobs += 1;
        let (number, jid) = (self.jobs, jid(self.jobs));
        let minions = minions(number, kind);
        let ids = || minions.iter().map(|minion| minion.id()).collect::<Vec<_>>();
        let call = match kind {
            Kind::Command => Call::shell(jid.clone(), &format!("systemctl status app{number}")),
            Kind::Highstate => Call::highstate(jid.clone(), None),
            Kind::Scheduled => Call::highstate(jid.clone(), Some("schedule")),
            Kind::SaltCall => Call::highstate(jid.clone(), Some("tgt")),
            Kind::FindJob => {
                let args = vec![self.latest.clone()];
                Call { jid: jid.clone(), fun: "saltutil.find_job", args, by: None }
            }
        };
        if call.by.is_some() {
            let fails = number.is_multiple_of(50);
            let outcome = if fails { Outcome::Failed } else { Outcome::Good };
            let frames = minions.iter().map(|minion| ret(&call, *minion, outcome)).collect();
            return Begun { frames, jid, returns: minions.len() };
        }
        let frame = match kind {
            Kind::Command => command_by("sudo_alice", &jid, &ids().join(","), &call.args.join(" ")),
            _ => new_job(&jid, call.fun, &call.args, &ids()),
        };
        self.expect(&call, &minions, now);
        if kind == Kind::Highstate {
            self.latest = jid.clone();
        }
        Begun { frames: vec![frame], jid, returns: 0 }
    }

    /// Plans a job's returns.
    fn expect(&mut self, call: &Call, minions: &[Minion], now: Duration) {
        let is_highstate = call.fun == "state.highstate";
        let takes = if is_highstate { HIGHSTATE_TAKES } else { Duration::from_millis(500) };
        for (place, minion) in minions.iter().enumerate() {
            let fails = is_highstate && place == 7 && self.jobs.is_multiple_of(2);
            let late = is_highstate && place == 11 && self.jobs.is_multiple_of(8);
            let after = takes.mul_f64((place + 1) as f64 / minions.len() as f64);
            let outcome = if fails { Outcome::Failed } else { Outcome::Good };
            let back = Return { call: call.clone(), minion: *minion, outcome };
            self.plan(now + if late { LATE } else { after }, Deed::Return(back));
        }
    }

    fn every(&self, kind: Kind) -> Duration {
        let often = HOUR.iter().find(|(known, ..)| *known == kind).map_or(1.0, |found| found.1);
        Duration::from_secs_f64(3600.0 / (often * self.times))
    }

    fn plan(&mut self, due: Duration, deed: Deed) {
        self.planned += 1;
        self.due.insert((due, self.planned), deed);
    }
}

/// Whom the nth job is for: others each time, so that all have their turn.
fn minions(number: usize, kind: Kind) -> Vec<Minion> {
    let count = HOUR.iter().find(|(known, ..)| *known == kind).map_or(1, |found| found.2);
    (0..count).map(|place| Minion((number * 53 + place) % MINIONS)).collect()
}

/// A minion's return, framed.
pub(super) fn ret(call: &Call, minion: Minion, outcome: Outcome) -> Vec<u8> {
    let (id, failed) = (minion.id(), outcome == Outcome::Failed);
    let args = || Value::Array(call.args.iter().map(|arg| arg.clone().into()).collect());
    let result = match call.fun {
        "state.highstate" => Value::Map(states(minion.0, &id, Likeness::Alike, failed)),
        "cmd.run" => "active (running)".into(),
        _ => Value::Map(vec![]),
    };
    let mut data = map([
        ("cmd", "_return".into()),
        ("id", id.clone().into()),
        ("success", Value::Bool(!failed)),
        ("return", result),
        ("retcode", Value::Int(if failed { 2 } else { 0 })),
        ("jid", call.jid.clone().into()),
        ("fun", call.fun.into()),
        ("fun_args", args()),
        ("_stamp", stamp()),
    ]);
    if let Value::Map(pairs) = &mut data {
        match call.by {
            Some("schedule") => pairs.push(("schedule".into(), "highstate".into())),
            Some(_) => pairs.extend([
                ("tgt".into(), id.clone().into()),
                ("tgt_type".into(), "glob".into()),
                ("arg".into(), args()),
            ]),
            None => pairs.push(("user".into(), "sudo_alice".into())),
        }
    }
    frame(&format!("salt/job/{}/ret/{id}", call.jid), &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_in_a_minute_is_two_hundred_times_what_a_busy_site_sends() {
        let length = Duration::from_secs(60);
        let mut site = Site::new(200.0, length);
        let (mut events, mut last) = (0, Duration::ZERO);
        while let Some((due, deed)) = site.next() {
            assert!(due >= last, "{deed:?} is due at {due:?}, after {last:?}");
            last = due;
            events += match deed {
                Deed::Call(kind) => site.call(kind, due).frames.len(),
                Deed::Return(_) => 1,
                Deed::HangUp | Deed::Refuse => 0,
            };
        }
        let planned = site.events_per_second() * length.as_secs_f64();
        assert!((events as f64 / planned - 1.0).abs() < 0.02, "{events} of {planned}");
    }
}
