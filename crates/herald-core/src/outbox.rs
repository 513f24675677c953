//! Messages that may be there though nobody said so: what each message carries, unseen, so that it
//! is known again, and what is made of those that are found.
//!
//! It decides only. How a message carries its label, and how messages are looked for, is a sink's
//! matter.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::owed::Part;
use crate::run::RunId;

/// Longest list of runs, and of jids, that a label holds, in bytes.
const MOST_TEXT: usize = 3_000;
/// Most runs in one message.
const MOST_RUNS: usize = 2_000;
/// Longest jid that a label holds: Salt's own are 20 digits, and may have a process behind them.
const MOST_JID: usize = 40;

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The journal whose runs these are, see [`Lineage`].
    pub journal: String,
    /// That journal's own name, which stays when a backup is put back.
    pub origin: String,
    /// The sink, as its journal calls it.
    pub sink: String,
    /// Which message of the runs.
    pub part: Part,
    /// The runs, the first one first.
    pub runs: Vec<RunId>,
    /// Their jids, as many as fit: by them a run is known that got another number.
    pub jids: Vec<String>,
    /// They are told together, whether or not they are several.
    pub together: bool,
    /// It is about old news.
    pub late: bool,
    /// The entry of the back-fill that found the runs, and the last of them: they can be more than a
    /// label names.
    pub missed: Option<(u64, RunId)>,
}

/// A message of ours that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<L = Label> {
    /// Where it stands, in the sink's words.
    pub place: String,
    /// What it is about.
    pub label: L,
}

/// Posts of which it is not known whether they arrived: which message of which run.
pub type Doubt = BTreeSet<(Part, RunId)>;

/// A message that is to be taken for said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Where it stands.
    pub place: String,
    /// Which message of the runs.
    pub part: Part,
    /// The runs, the first one first.
    pub runs: Vec<RunId>,
    /// They are told together.
    pub together: bool,
    /// It is about old news.
    pub late: bool,
}

/// The names by which a journal's messages are labelled.
///
/// When a backup is put back, numbers are given again that other runs had after the backup, and their
/// messages still stand in the channel. So runs that begin from then on have another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The journal's own.
    origin: String,
    /// For each backup that was put back: its last run, and the name for those after it.
    lines: Vec<(RunId, String)>,
    /// Of what began before, something may have been said that the journal does not know.
    unsure_until: Option<Timestamp>,
}

impl Lineage {
    /// Of a journal with this name; and for each backup that was put back, the last run that it had
    /// and another name.
    pub fn new(origin: String, mut lines: Vec<(RunId, String)>) -> Self {
        lines.sort();
        Self { origin, lines, unsure_until: None }
    }

    /// The same of a journal that went back to a backup then, or lost what was in memory.
    pub fn unsure_until(self, unsure_until: Option<Timestamp>) -> Self {
        Self { unsure_until, ..self }
    }

    /// Whether a run that began then may have been said by another number.
    pub fn may_be_said(&self, began: Timestamp) -> bool {
        self.unsure_until.is_some_and(|until| began < until)
    }

    /// The journal's own name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The name for a message about these runs: that of the latest of them.
    pub fn label_of(&self, runs: &[RunId]) -> &str {
        let latest = runs.iter().max().copied().unwrap_or(RunId(0));
        let line = self.rank_of(latest).checked_sub(1).and_then(|index| self.lines.get(index));
        line.map_or(&self.origin, |(_, name)| name)
    }

    /// Whether a run is older than the backup that was put back last.
    pub fn is_from_backup(&self, run: RunId) -> bool {
        self.lines.last().is_some_and(|(last, _)| run <= *last)
    }

    /// Whether a message with that label means this journal's run of that number.
    fn means(&self, label: &str, run: RunId) -> bool {
        let names = std::iter::once(&self.origin).chain(self.lines.iter().map(|(_, name)| name));
        let rank = names.into_iter().position(|name| name == label);
        rank.is_some_and(|rank| rank >= self.rank_of(run))
    }

    /// How many backups were put back before the run began.
    fn rank_of(&self, run: RunId) -> usize {
        self.lines.iter().filter(|(last, _)| *last < run).count()
    }
}

/// The jids of messages that may be about runs of this journal that had other numbers then: it went
/// back to a backup, or lost what it kept in memory.
pub fn strange_jids<'f>(found: &'f [Found], lineage: &Lineage, sink: &str) -> BTreeSet<&'f str> {
    let is_strange = |label: &&Label| {
        let is_meant = |run: &RunId| lineage.means(&label.journal, *run);
        label.sink == sink && label.origin == lineage.origin && !label.runs.iter().all(is_meant)
    };
    let strange = found.iter().map(|one| &one.label).filter(is_strange);
    strange.flat_map(|label| &label.jids).map(String::as_str).collect()
}

/// What to take for said of the messages that were found, the oldest first: those that say what is
/// still `owed`. Each is said once, though it was found twice. `missed` has the runs that wait to be
/// told as missed, with the entry of the back-fill that found each, and `by_jid` the only run of each
/// of the [`strange_jids`].
pub fn adopt(
    found: &[Found],
    lineage: &Lineage,
    sink: &str,
    owed: &Doubt,
    missed: &[(RunId, u64)],
    by_jid: &HashMap<String, RunId>,
) -> Vec<Adoption> {
    let mut owed = owed.clone();
    let mut adopted = Vec::new();
    for Found { place, label } in found {
        if label.sink != sink {
            continue;
        }
        let mut runs = label.runs.clone();
        if let Some((entry, last)) = label.missed {
            let is_in_it = |(run, of): &&(RunId, u64)| *of == entry && *run <= last;
            runs.extend(missed.iter().filter(is_in_it).map(|(run, _)| *run));
        }
        runs.retain(|run| lineage.means(&label.journal, *run) && owed.remove(&(label.part, *run)));
        if label.origin == lineage.origin {
            let same = label.jids.iter().filter_map(|jid| by_jid.get(jid)).copied();
            runs.extend(same.filter(|run| owed.remove(&(label.part, *run))));
        }
        if label.part == Part::Message && label.together {
            // That one of them ended badly may have a message of its own behind it.
            owed.extend(runs.iter().map(|run| (Part::Ending, *run)));
        }
        if !runs.is_empty() {
            let (place, part, late) = (place.clone(), label.part, label.late);
            adopted.push(Adoption { place, part, runs, together: label.together, late });
        }
    }
    adopted
}

/// As many of the runs, from the first one on, as one message can name.
pub fn fitting(runs: &[RunId]) -> &[RunId] {
    let mut count = runs.len().min(MOST_RUNS);
    while count > 1 && runs.get(..count).is_some_and(|runs| write_runs(runs).len() > MOST_TEXT) {
        count = count * 3 / 4;
    }
    runs.get(..count).unwrap_or(runs)
}

/// As many of the jids as a label holds.
pub fn fitting_jids<'j>(jids: impl IntoIterator<Item = &'j str>) -> Vec<String> {
    let is_plain = |jid: &&str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !jid.is_empty() && jid.len() <= MOST_JID && jid.bytes().all(is_plain)
    };
    let mut fitting: Vec<String> = Vec::new();
    let mut length = 0;
    for jid in jids.into_iter().filter(is_plain) {
        length += 2 + after(fitting.last().map_or("", String::as_str), jid).len();
        if length > MOST_TEXT {
            break;
        }
        fitting.push(jid.to_owned());
    }
    fitting
}

/// What of a jid is not as in the one before; all of it, where it is not alike.
fn after<'j>(before: &str, jid: &'j str) -> &'j str {
    let same = before.bytes().zip(jid.bytes()).take_while(|(one, other)| one == other).count();
    if before.len() == jid.len() { jid.get(same..).unwrap_or(jid) } else { jid }
}

/// `20261125221217123456,+8000123`: a jid that is as long as the one before has only its end.
pub fn write_jids(jids: &[String]) -> String {
    let mut text = String::new();
    let mut before = "";
    for jid in jids {
        let rest = after(before, jid);
        let lead = match (before.is_empty(), rest.len() < jid.len()) {
            (true, _) => "",
            (false, true) => ",+",
            (false, false) => ",",
        };
        text.push_str(lead);
        text.push_str(rest);
        before = jid;
    }
    text
}

/// The jids that [`write_jids`] wrote; what can't be read is left out.
pub fn read_jids(text: &str) -> Vec<String> {
    let mut jids: Vec<String> = Vec::new();
    if text.len() > 2 * MOST_TEXT {
        return jids;
    }
    for part in text.split(',') {
        let jid = match (part.strip_prefix('+'), jids.last()) {
            (Some(rest), Some(before)) => {
                let same = before.len().checked_sub(rest.len());
                same.and_then(|same| before.get(..same)).map(|same| format!("{same}{rest}"))
            }
            (Some(_), None) => None,
            (None, _) => Some(part.to_owned()),
        };
        jids.extend(jid.filter(|jid| !jid.is_empty() && jid.len() <= MOST_JID));
    }
    jids
}

/// `101-150,152`
pub fn write_runs(runs: &[RunId]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for RunId(run) in runs {
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*run) => *last = *run,
            _ => spans.push((*run, *run)),
        }
    }
    let written: Vec<String> = spans
        .into_iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
        .collect();
    written.join(",")
}

/// The runs that [`write_runs`] wrote; nothing where it did not, or where they are too many.
pub fn read_runs(text: &str) -> Option<Vec<RunId>> {
    if text.len() > 2 * MOST_TEXT {
        return None;
    }
    let mut runs = Vec::new();
    for span in text.split(',') {
        let (from, to) = span.split_once('-').unwrap_or((span, span));
        let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
        if to.checked_sub(from)? >= (MOST_RUNS - runs.len().min(MOST_RUNS)) as u64 {
            return None;
        }
        runs.extend((from..=to).map(RunId));
    }
    Some(runs)
}

/// `message:5-7 thread:9`
pub fn write_doubt(doubt: &Doubt) -> String {
    let of_part = |part: &Part| {
        let runs: Vec<RunId> =
            doubt.iter().filter(|(of, _)| of == part).map(|(_, run)| *run).collect();
        (!runs.is_empty()).then(|| format!("{}:{}", part.name(), write_runs(&runs)))
    };
    Part::ALL.iter().filter_map(of_part).collect::<Vec<_>>().join(" ")
}

/// What [`write_doubt`] wrote; what can't be read is left out.
pub fn read_doubt(text: &str) -> Doubt {
    let part = |text: &str| {
        let (part, runs) = text.split_once(':')?;
        let part = Part::from_name(part)?;
        Some(read_runs(runs)?.into_iter().map(move |run| (part, run)))
    };
    text.split_whitespace().filter_map(part).flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(runs: &[u64]) -> Vec<RunId> {
        runs.iter().copied().map(RunId).collect()
    }

    fn found(place: &str, part: Part, runs: &[u64]) -> Found {
        let label = Label {
            journal: "j".to_owned(),
            origin: "j".to_owned(),
            sink: "s".to_owned(),
            part,
            runs: ids(runs),
            jids: Vec::new(),
            together: runs.len() > 1,
            late: false,
            missed: None,
        };
        Found { place: place.to_owned(), label }
    }

    #[test]
    fn runs_are_written_as_spans() {
        assert_eq!(write_runs(&ids(&[101, 102, 103, 105])), "101-103,105");
        assert_eq!(read_runs("101-103,105"), Some(ids(&[101, 102, 103, 105])));
        for odd in ["", "a", "1-", "-1", "3-1", "0-99999999999", "0-18446744073709551615", "1,,2"] {
            assert_eq!(read_runs(odd), None, "{odd}");
        }
        assert_eq!(read_runs(&"1-2000,".repeat(100)), None);
    }

    #[test]
    fn what_is_owed_is_adopted_once() {
        let owed = Doubt::from([
            (Part::Message, RunId(1)),
            (Part::Message, RunId(2)),
            (Part::Ending, RunId(9)),
        ]);
        let mut other = found("d", Part::Message, &[2]);
        other.label.journal = "another".to_owned();
        let found = [
            found("a", Part::Message, &[1]),
            found("b", Part::Message, &[1]),
            found("c", Part::Message, &[9]),
            other,
            found("e", Part::Ending, &[9]),
            found("f", Part::Thread, &[1]),
        ];
        let lineage = Lineage::new("j".to_owned(), Vec::new());
        let adopted = adopt(&found, &lineage, "s", &owed, &[], &HashMap::new());
        let places: Vec<&str> = adopted.iter().map(|adoption| adoption.place.as_str()).collect();
        assert_eq!(places, ["a", "e"]);
    }

    #[test]
    fn of_what_was_missed_more_is_adopted_than_a_label_names() {
        let owed = [1, 2, 3, 4, 5].map(|run| (Part::Message, RunId(run)));
        let mut digest = found("a", Part::Message, &[1]);
        digest.label.missed = Some((70, RunId(4)));
        // One is news, one another back-fill's, one comes after this digest.
        let missed = [(1, 70), (2, 70), (4, 71), (5, 70)].map(|(run, of)| (RunId(run), of));
        let lineage = Lineage::new("j".to_owned(), Vec::new());
        let adopted = adopt(&[digest], &lineage, "s", &Doubt::from(owed), &missed, &HashMap::new());
        assert_eq!(adopted[0].runs, ids(&[1, 2]));
    }

    #[test]
    fn after_a_backup_was_put_back_messages_of_other_runs_with_the_same_number_are_left_alone() {
        let lines = vec![(RunId(200), "k".to_owned()), (RunId(100), "i".to_owned())];
        let lineage = Lineage::new("j".to_owned(), lines);
        let names = [&[100][..], &[99, 101], &[200], &[201, 1], &[]];
        let labels = names.map(|runs| lineage.label_of(&ids(runs)));
        assert_eq!(labels, ["j", "i", "i", "k", "j"]);
        assert!(lineage.is_from_backup(RunId(200)) && !lineage.is_from_backup(RunId(201)));
        let owed = [99, 100, 101, 201].map(|run| (Part::Message, RunId(run)));
        let message = |place: &str, journal: &str, runs: &[u64]| {
            let mut found = found(place, Part::Message, runs);
            found.label.journal = journal.to_owned();
            found
        };
        let found = [
            message("of before, and of what is no more", "j", &[99, 101]),
            message("of what is no more", "i", &[201]),
            message("of now", "k", &[100, 201]),
            message("of the first time", "i", &[101]),
        ];
        let adopted = adopt(&found, &lineage, "s", &Doubt::from(owed), &[], &HashMap::new());
        let runs: Vec<Vec<RunId>> = adopted.into_iter().map(|adoption| adoption.runs).collect();
        assert_eq!(runs, [ids(&[99]), ids(&[100, 201]), ids(&[101])]);
    }

    /// Run 101 was lost with what came after the backup, and is 105 now; 7 is somebody else's.
    #[test]
    fn a_run_that_has_another_number_now_is_known_by_its_jid() {
        let lineage = Lineage::new("j".to_owned(), vec![(RunId(100), "k".to_owned())]);
        let message = |place: &str, origin: &str, jids: &[&str]| {
            let mut found = found(place, Part::Message, &[101]);
            found.label.origin = origin.to_owned();
            found.label.jids = jids.iter().map(|jid| (*jid).to_owned()).collect();
            found
        };
        let mut together = message("c", "j", &["20", "30"]);
        together.label.together = true;
        let mut ending = message("d", "j", &["30"]);
        ending.label.part = Part::Ending;
        let known = message("e", "j", &["50"]);
        let known = Found { label: Label { journal: "k".to_owned(), ..known.label }, ..known };
        let strange = [
            message("a", "another", &["10"]),
            message("b", "j", &["10", "11"]),
            together,
            ending,
            known,
        ];
        let asked: Vec<&str> = strange_jids(&strange, &lineage, "s").into_iter().collect();
        assert_eq!(asked, ["10", "11", "20", "30"], "of those that are meant nobody has to ask");
        let by_jid = [("10", 105), ("20", 106), ("30", 107), ("40", 7)];
        let by_jid = by_jid.map(|(jid, run)| (jid.to_owned(), RunId(run)));
        let owed = [7, 105, 107].map(|run| (Part::Message, RunId(run)));
        let (owed, by_jid) = (Doubt::from(owed), HashMap::from(by_jid));
        let adopted = adopt(&strange, &lineage, "s", &owed, &[], &by_jid);
        let adopted: Vec<(&str, Part, Vec<RunId>)> =
            adopted.iter().map(|one| (one.place.as_str(), one.part, one.runs.clone())).collect();
        let wanted = [
            ("b", Part::Message, ids(&[105])),
            ("c", Part::Message, ids(&[107])),
            ("d", Part::Ending, ids(&[107])),
        ];
        assert_eq!(adopted, wanted);
    }

    #[test]
    fn of_jids_that_are_alike_only_the_end_is_written() {
        let jids = ["20261125221217123456", "20261125221218000123", "20261125221218000123_4711"];
        let jids: Vec<String> = fitting_jids(jids.into_iter().chain(["odd,one", "", "req"]));
        let text = write_jids(&jids);
        assert_eq!(text, "20261125221217123456,+8000123,20261125221218000123_4711,req");
        assert_eq!(read_jids(&text), jids);
        for odd in ["", "+1", "1,+22", ",,", &"1".repeat(9_000)] {
            assert!(read_jids(odd).len() <= 1, "{odd}");
        }
        let many: Vec<String> = (0..2_000).map(|n| format!("202611252212{n:08}")).collect();
        let fitting = fitting_jids(many.iter().map(String::as_str));
        assert!(fitting.len() > 300 && write_jids(&fitting).len() <= MOST_TEXT);
    }

    proptest! {
        #[test]
        fn jids_that_are_written_are_read(jids in prop::collection::vec("[0-9]{18,21}", 0..200)) {
            let fitting = fitting_jids(jids.iter().map(String::as_str));
            prop_assert_eq!(read_jids(&write_jids(&fitting)), fitting);
        }

        #[test]
        fn what_is_written_is_read(runs in prop::collection::btree_set(0u64..5_000, 1..800)) {
            let runs: Vec<RunId> = runs.into_iter().map(RunId).collect();
            let fitting = fitting(&runs);
            prop_assert!(!fitting.is_empty());
            prop_assert!(write_runs(fitting).len() <= MOST_TEXT);
            prop_assert_eq!(read_runs(&write_runs(fitting)), Some(fitting.to_vec()));
            let doubt: Doubt = fitting
                .iter()
                .map(|run| (if run.0 % 2 == 0 { Part::Message } else { Part::Thread }, *run))
                .collect();
            prop_assert_eq!(read_doubt(&write_doubt(&doubt)), doubt);
        }

        #[test]
        fn nothing_that_is_read_is_large(text in "[0-9,\\-: a-z]{0,200}") {
            prop_assert!(read_doubt(&text).len() <= 3 * MOST_RUNS);
        }
    }
}
