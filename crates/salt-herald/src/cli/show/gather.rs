//! Reads what is to be told of a run. What is alike on many minions is read once.

use std::collections::HashMap;
use std::time::Duration;

use herald_core::compose::FailureGroup;
use herald_core::digest::Digest;
use herald_core::join::{Body, Definition, Item, plain};
use herald_core::minions::{MinionNo, MinionSet};
use herald_core::run::{Job, Run};
use salt_event::Value;

use crate::store::{Delivery, JournalReader, Returned, StoreError};

/// Returns whose contents are looked into; the rest is only counted.
const MAX_RETURNS: usize = 2_000;
/// Distinct changes and outputs that are told.
const MAX_GROUPS: usize = 100;

/// Everything that is told of a run.
pub(super) struct Story<'a> {
    pub(super) run: &'a Run,
    pub(super) jobs: &'a [Job],
    pub(super) returns: Vec<Returned>,
    pub(super) failures: Vec<FailureGroup>,
    /// What changed, folded over the minions.
    pub(super) changes: Vec<Group>,
    /// What came back where no states ran, likewise.
    pub(super) outputs: Vec<Group>,
    /// Some changes or outputs were not looked at.
    pub(super) is_cut: bool,
    pub(super) deliveries: Vec<Delivery>,
}

/// Something that is the same on some minions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) minions: MinionSet,
    pub(super) value: Value<'static>,
    /// It would change, but did not: `test=True`.
    pub(super) is_test: bool,
}

/// One return in full.
pub(super) struct Whole {
    pub(super) returned: Returned,
    pub(super) parts: Vec<Part>,
}

/// One part of a return.
pub(super) enum Part {
    State { definition: Option<Definition>, body: Option<Body>, item: Item },
    Plain(Option<Value<'static>>),
}

/// What is alike, in the order in which it was first seen.
#[derive(Default)]
struct Folded {
    groups: Vec<Group>,
    /// Where a pair of definition and body stands; nowhere when nothing is to be told of it.
    places: HashMap<(Option<Digest>, Digest), Option<usize>>,
    is_cut: bool,
}

/// Reads a run's story. The minions' names are known to the reader then.
pub(super) fn story<'a>(
    reader: &mut JournalReader,
    run: &'a Run,
    jobs: &'a [Job],
) -> Result<Story<'a>, StoreError> {
    let failures = reader.failures(&[run.id])?;
    reader.minions()?;
    let returns = reader.returns(run.id)?;
    let (mut changes, mut outputs) = (Folded::default(), Folded::default());
    for returned in returns.iter().take(MAX_RETURNS) {
        let name = name_of(reader, returned);
        for item in reader.items(returned)? {
            match item.definition {
                Some(_) => changes.take(returned.minion, &item, || change(reader, &item, &name))?,
                // A failure is told with the failures.
                None if returned.failed => {}
                None => outputs.take(returned.minion, &item, || output(reader, &item, &name))?,
            }
        }
    }
    Ok(Story {
        run,
        jobs,
        is_cut: returns.len() > MAX_RETURNS || changes.is_cut || outputs.is_cut,
        returns,
        failures,
        changes: changes.groups,
        outputs: outputs.groups,
        deliveries: reader.all_deliveries(run.told_with.unwrap_or(run.id))?,
    })
}

/// All that one minion returned in a run; without a number, what the master itself did.
pub(super) fn of_one(
    reader: &JournalReader,
    run: &Run,
    minion: Option<MinionNo>,
) -> Result<Vec<Whole>, StoreError> {
    let Some(minion) = minion else {
        return Ok(Vec::new());
    };
    let name = reader.known_minions().name(minion).to_owned();
    let mut wholes = Vec::new();
    for returned in reader.returns(run.id)? {
        if returned.minion != Some(minion) {
            continue;
        }
        let items = reader.items(&returned)?;
        let parts = items.into_iter().map(|item| part(reader, item, &name));
        wholes.push(Whole { parts: parts.collect::<Result<_, _>>()?, returned });
    }
    Ok(wholes)
}

fn part(reader: &JournalReader, item: Item, minion: &str) -> Result<Part, StoreError> {
    let body = reader.content(item.body)?;
    Ok(match item.definition {
        None => Part::Plain(body.map(|bytes| plain(&bytes, minion))),
        Some(definition) => Part::State {
            definition: reader
                .content(definition)?
                .and_then(|bytes| Definition::read(&bytes, minion)),
            body: body.and_then(|bytes| Body::read(&bytes, minion)),
            item,
        },
    })
}

fn change(reader: &JournalReader, item: &Item, minion: &str) -> Result<Option<Group>, StoreError> {
    let Part::State { definition, body: Some(body), .. } = part(reader, *item, minion)? else {
        return Ok(None);
    };
    Ok(body.has_changes().then(|| Group {
        title: definition.map_or_else(|| "?".to_owned(), |state| state.title()),
        minions: MinionSet::new(),
        is_test: body.result.is_none(),
        value: body.changes,
    }))
}

fn output(reader: &JournalReader, item: &Item, minion: &str) -> Result<Option<Group>, StoreError> {
    let Part::Plain(Some(value)) = part(reader, *item, minion)? else {
        return Ok(None);
    };
    Ok(Some(Group { title: String::new(), minions: MinionSet::new(), value, is_test: false }))
}

impl Folded {
    fn take(
        &mut self,
        minion: Option<MinionNo>,
        item: &Item,
        read: impl FnOnce() -> Result<Option<Group>, StoreError>,
    ) -> Result<(), StoreError> {
        let key = (item.definition, item.body);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.groups.len() >= MAX_GROUPS => {
                self.is_cut = true;
                None
            }
            None => {
                let place = read()?.map(|group| {
                    self.groups.push(group);
                    self.groups.len() - 1
                });
                self.places.insert(key, place);
                place
            }
        };
        if let Some(group) = place.and_then(|place| self.groups.get_mut(place)) {
            group.minions.extend(minion);
        }
        Ok(())
    }
}

fn name_of(reader: &JournalReader, returned: &Returned) -> String {
    returned
        .minion
        .map_or_else(String::new, |minion| reader.known_minions().name(minion).to_owned())
}

/// A duration where there is one worth telling.
pub(super) fn told_duration(duration: Duration) -> Option<String> {
    match duration.as_micros() {
        0 => None,
        1..1_000_000 => Some(format!("{} ms", duration.as_millis().max(1))),
        _ => Some(herald_core::compose::elapsed(duration)),
    }
}
