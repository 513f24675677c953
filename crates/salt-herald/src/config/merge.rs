//! One map over another: how files that come later win.
//!
//! There are three ways, and they differ where it hurts: ours, Salt's among included files, and
//! Salt's between the main file and what it includes. Nothing is read and nothing judged here.

use super::yaml::{Entry, Value};

/// How two maps become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Ours: maps merge deeply, anything else is replaced. A key with nothing under it (a heading
    /// whose children are commented out) takes no map away.
    Herald,
    /// `salt.utils.dictupdate.update(recursive_update=True, merge_lists=True)`, as
    /// `include_config` calls it: maps merge deeply, lists are joined without doubles.
    SaltIncluded,
    /// `dict.update`, as `master_config` calls it: a key of the later one replaces the whole value.
    SaltMain,
}

/// Lays `over` onto `base`.
pub(crate) fn merge(base: &mut Vec<Entry>, over: Vec<Entry>, rule: Rule) {
    for entry in over {
        match base.iter_mut().find(|existing| existing.key == entry.key) {
            Some(existing) => merge_entry(existing, entry, rule),
            None => base.push(entry),
        }
    }
}

fn merge_entry(existing: &mut Entry, entry: Entry, rule: Rule) {
    let deep = rule != Rule::SaltMain;
    match (&mut existing.node.value, entry.node.value) {
        (Value::Map(base), Value::Map(over)) if deep => merge(base, over, rule),
        (Value::Map(_), Value::Null) if rule == Rule::Herald => {}
        (Value::List(base), Value::List(over)) if rule == Rule::SaltIncluded => {
            // Compared with what was there before only: doubles within the later list stay.
            let mut new = over;
            new.retain(|item| !base.iter().any(|known| known.value.same(&item.value)));
            base.extend(new);
        }
        (_, value) => {
            existing.node.value = value;
            existing.node.place = entry.node.place;
            existing.place = entry.place;
        }
    }
}
