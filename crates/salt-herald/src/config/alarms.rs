//! `announce.alarms`: what is said at once though it is no run, as a list of words.

use herald_core::alarm::AlarmRules;
use herald_core::key::KeyAct;

use super::values::{Mismatch, texts};
use super::yaml::Value;

/// The word for what minions made up; all others are of keys.
const MADE_UP: &str = "made_up";

/// Reads the list.
pub(super) fn alarms(value: Value) -> Result<AlarmRules, Mismatch> {
    let mut rules = AlarmRules { suspects: false, keys: Vec::new() };
    for word in texts(value)? {
        match KeyAct::from_name(&word).filter(|act| is_said(*act)) {
            Some(act) => rules.keys.push(act),
            None if word == MADE_UP => rules.suspects = true,
            None => return Err(Mismatch::new("holds what is no alarm").hint(known())),
        }
    }
    Ok(rules)
}

/// That a minion authenticates for the first time is of no note.
fn is_said(act: KeyAct) -> bool {
    act != KeyAct::Seen
}

fn known() -> String {
    let acts = KeyAct::ALL.iter().filter(|act| is_said(**act)).map(|act| act.name());
    let words: Vec<&str> = [MADE_UP].into_iter().chain(acts).collect();
    format!("write any of {}", words.join(", "))
}
