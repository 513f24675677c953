//! Looks through an export, line by line and in memory that hardly grows with it: the chain, contents against
//! their names and their places, checkpoints, and whether each line is what its bytes say.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use herald_core::change::What;
use herald_core::digest::Digest;
use herald_core::entry::{Contents, decode, outline, outline_of_cut, outline_of_return};
use herald_core::payload::PayloadKind;
use herald_core::verify::{
    Break, Cut, Fault, Finding, LineFault, Link, Part, Report, Scrubs, Seen, Stands, Witness,
    diagnose, fits, judge,
};
use jiff::Timestamp;

use super::lines::{Around, ExportError, Line, Lines};
use super::told::{Lacks, Told};
use super::{Begin, Piece, fields};
use crate::seal::is_signed;

/// The kind of a return.
const RETURN: u8 = 9;
/// The kind of the entry that says that the chain was cut.
const CUT: u8 = 16;

/// Whether a file begins as an export does, and not as a database.
pub fn is_export(path: &Path) -> bool {
    // A pipe would be waited for.
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let mut start = [0; 1];
    let mut begins = || File::open(path).and_then(|mut file| file.read_exact(&mut start));
    is_file && begins().is_ok() && start == *b"{"
}

/// Looks through the export in a file.
///
/// # Errors
/// When it can't be read, or is none.
pub fn verify(path: &Path, witness: &Witness) -> Result<Report, ExportError> {
    let mut lines = Lines::open(path)?;
    let none = || ExportError::None { path: path.to_owned() };
    let first = lines.next()?.ok_or_else(none)?;
    let Some(Piece::Begin(begin)) = first.piece else { return Err(none()) };
    let mut check = Check::new(begin, witness);
    if !first.is_as_written {
        check.find(1, Finding::Line(LineFault::Changed));
    }
    while let Some(line) = lines.next()? {
        check.take(line, &lines)?;
    }
    Ok(check.end(witness))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    number: u64,
    hash: Digest,
}

/// Contents that stand before the next entry.
struct Waiting {
    line: u64,
    digest: Digest,
    kind: PayloadKind,
    /// Of a shape, which says what it consists of.
    bytes: Vec<u8>,
}

struct Check {
    begin: Begin,
    /// The last entry that follows; none once the chain broke.
    last: Option<Place>,
    /// The one before.
    earlier: Option<Place>,
    entries: u64,
    report: Report,
    told: Told,
    waiting: VecDeque<Waiting>,
    seals: Vec<Seen>,
    /// Contents that are not what their name says: the line, the name, the kind, and what they are. An entry
    /// that comes later can say that something secret was taken out of them.
    odd: Vec<(u64, Digest, PayloadKind, Digest)>,
    scrubs: Scrubs,
    /// The hashes of entries of which people kept checkpoints.
    hashes: HashMap<u64, Digest>,
    wanted: HashSet<u64>,
    ended: bool,
}

impl Check {
    fn new(begin: Begin, witness: &Witness) -> Self {
        let Begin { origin, after, hash, since, until } = begin;
        let part = Part { after, hash, since, until };
        Self {
            begin,
            last: Some(Place { number: after, hash }),
            earlier: None,
            entries: 0,
            report: Report { origin, part: Some(part), ..Report::default() },
            told: Told::default(),
            waiting: VecDeque::new(),
            seals: Vec::new(),
            odd: Vec::new(),
            scrubs: Scrubs::default(),
            hashes: HashMap::from([(after, hash)]),
            wanted: witness.kept.iter().flatten().map(|kept| kept.checkpoint.number).collect(),
            ended: false,
        }
    }

    fn find(&mut self, line: u64, finding: Finding) {
        self.report.find(Finding::At { line, finding: Box::new(finding) });
    }

    fn take(&mut self, mut line: Line, lines: &Lines) -> Result<(), ExportError> {
        let number = line.number;
        if self.ended {
            self.find(number, Finding::Line(LineFault::BehindEnd));
            return Ok(());
        }
        if !line.is_as_written {
            self.find(number, Finding::Line(LineFault::Changed));
        }
        match line.piece.take() {
            Some(Piece::Payload { digest, kind, bytes }) => {
                self.payload(number, (digest, kind), bytes);
            }
            Some(Piece::Entry { number: own, hash, bytes, times, gone }) => {
                self.entries += 1;
                if outline(&bytes).is_some_and(|outline| outline.number != own) {
                    self.find(number, Finding::Line(LineFault::Changed));
                }
                let wanted = self.last.map_or(0, |last| last.number + 1);
                let link = Link { number: wanted, bytes, hash };
                if self.chain(&line, &link, lines)? {
                    self.entry(number, &link, times.as_deref(), &gone);
                }
                self.waiting.clear();
            }
            Some(Piece::End { entries, payloads, last, hash }) => {
                self.ended = true;
                self.last_line(number, (entries, payloads), Place { number: last, hash });
            }
            Some(Piece::Begin(_)) => self.find(number, Finding::Line(LineFault::Changed)),
            None => {}
        }
        Ok(())
    }

    fn payload(&mut self, line: u64, (digest, kind): (Digest, PayloadKind), bytes: Vec<u8>) {
        let contents = &mut self.report.contents;
        contents.payloads += 1;
        contents.bytes += bytes.len() as u64;
        let found = Digest::of(&bytes);
        if found != digest {
            self.odd.push((line, digest, kind, found));
        }
        let bytes = if kind == PayloadKind::Shape { bytes } else { Vec::new() };
        self.waiting.push_back(Waiting { line, digest, kind, bytes });
    }

    /// Whether an entry follows on the one before; where it does not the first time, that is told.
    fn chain(&mut self, line: &Line, link: &Link, lines: &Lines) -> Result<bool, ExportError> {
        let Some(last) = self.last else { return Ok(false) };
        let own = outline(&link.bytes);
        let is_own =
            own.is_some_and(|own| own.number == link.number && own.origin == self.begin.origin);
        if is_own && fits(last.hash, link) {
            (self.earlier, self.last) =
                (Some(last), Some(Place { number: link.number, hash: link.hash }));
            return Ok(true);
        }
        let earlier = self.earlier.map(|place| (place.number, place.hash));
        let mut around = Around::read(lines, line, link, earlier)?;
        let mut found = diagnose(self.begin.origin, (last.number, last.hash), link, &mut around);
        if let Fault::Removed { renumbered, .. } = &mut found.fault {
            *renumbered = false;
        }
        self.find(line.number, Finding::Chain(found));
        self.last = None;
        Ok(false)
    }

    /// Looks at an entry that follows.
    fn entry(&mut self, line: u64, link: &Link, times: Option<&[u8]>, gone: &[Digest]) {
        let number = link.number;
        if self.report.first == 0 {
            self.report.first = number;
        }
        (self.report.last, self.report.hash) = (number, link.hash);
        if self.wanted.contains(&number) {
            self.hashes.insert(number, link.hash);
        }
        if !fields::is_known(&link.bytes) {
            let why = "it is of a kind that this salt-herald does not know, or not as it should be";
            self.find(line, Finding::Unreadable { entry: number, why: why.to_owned() });
        }
        self.contents(line, link, gone);
        self.times(line, link, times);
        self.seals.extend(self.earlier.and_then(|last| seen(self.begin.origin, last, link)));
        if let Some(What::Scrubbed(scrub)) = what(link) {
            self.scrubs.take(number, &scrub);
        }
        self.cut(link);
    }

    /// Whether what it is the first to name stands before it, and nothing else.
    fn contents(&mut self, line: u64, link: &Link, gone: &[Digest]) {
        let (mut waiting, mut strays) = (std::mem::take(&mut self.waiting), Vec::new());
        let next = |digest, kind| -> Result<_, Infallible> {
            let is_it = |one: &Waiting| (one.digest, one.kind) == (digest, kind);
            let Some(place) = waiting.iter().position(is_it) else { return Ok(None) };
            strays.extend(waiting.drain(..place));
            Ok(waiting.pop_front().map(|one| one.bytes))
        };
        let Ok(Lacks { gone: found, needed, is_expired }) = self.told.take(&link.bytes, next);
        strays.extend(waiting);
        self.strays(strays);
        let entry = link.number;
        for digest in found.iter().filter(|digest| !gone.contains(digest)) {
            self.find(line, Finding::Missing { entry, digest: *digest });
        }
        if found.len() < gone.len() || found.iter().zip(gone).any(|(one, other)| one != other) {
            self.find(line, Finding::Line(LineFault::Changed));
        }
        if let Some(digest) =
            needed.filter(|digest| !found.contains(digest) || gone.contains(digest))
        {
            self.find(line, Finding::Missing { entry, digest });
        }
        if is_expired {
            let at = outline(&link.bytes)
                .and_then(|own| Timestamp::from_microsecond(own.at).ok())
                .unwrap_or_default();
            self.report.contents.expired += 1;
            self.report.contents.latest_expired = Some((entry, at));
        }
    }

    fn strays(&mut self, strays: impl IntoIterator<Item = Waiting>) {
        for stray in strays {
            self.find(stray.line, Finding::Line(LineFault::Stray));
        }
    }

    fn times(&mut self, line: u64, link: &Link, times: Option<&[u8]>) {
        let is_return = outline(&link.bytes).is_some_and(|own| own.kind == RETURN);
        let told = outline_of_return(&link.bytes).filter(|_| is_return).map(|(_, times)| times);
        match (told, times) {
            (Some(told), Some(times)) if told == Digest::of(times) => {}
            (None, None) => {}
            (Some(told), None) => {
                self.report.contents.times_expired += u64::from(told != Digest::of(&[]));
            }
            _ => self.find(line, Finding::Times { entry: link.number }),
        }
    }

    /// Takes up that an entry says what was taken out before.
    fn cut(&mut self, link: &Link) {
        let own = outline(&link.bytes).filter(|own| own.kind == CUT);
        let Some((own, (last, hash))) = own.zip(outline_of_cut(&link.bytes)) else { return };
        if (last, hash) == (self.begin.after, self.begin.hash)
            && let Ok(at) = Timestamp::from_microsecond(own.at)
        {
            self.report.cut = Some(Cut { entry: link.number, at, last });
        }
    }

    fn last_line(&mut self, line: u64, told: (u64, u64), end: Place) {
        let Some(last) = self.last else { return };
        if end.number > last.number {
            let fault = Fault::Removed { last: end.number, renumbered: false };
            self.find(line, Finding::Chain(Break { entry: last.number + 1, fault }));
            return;
        }
        let strays = std::mem::take(&mut self.waiting);
        self.strays(strays);
        if end != last || told != (self.entries, self.report.contents.payloads) {
            self.find(line, Finding::Line(LineFault::End));
        }
    }

    fn end(mut self, witness: &Witness) -> Report {
        for (line, digest, kind, found) in std::mem::take(&mut self.odd) {
            match self.scrubs.judge(digest, found) {
                Stands::Scrubbed => self.report.contents.scrubbed += 1,
                _ => self.find(line, Finding::Payload { digest, kind: Some(kind) }),
            }
        }
        self.report.scrubs = self.scrubs.told().to_vec();
        if !self.ended {
            self.report.find(Finding::CutOff);
        }
        let Begin { after, since, .. } = self.begin;
        if after > 0 && since.is_none() && self.report.cut.is_none() && self.last.is_some() {
            let fault = Fault::Beginning { first: after + 1 };
            self.report.find(Finding::Chain(Break { entry: 1, fault }));
        }
        let (seals, hashes) = (std::mem::take(&mut self.seals), self.hashes);
        let hash_at = |number: u64| hashes.get(&number).copied();
        judge(witness, &seals, &mut self.report, hash_at, is_signed);
        self.report
    }
}

struct Nothing;

impl Contents for Nothing {
    fn payload(&mut self, _digest: Digest) -> Option<Vec<u8>> {
        None
    }
}

/// What an entry says that names no contents.
fn what(link: &Link) -> Option<What> {
    decode(&link.bytes, &mut Nothing).ok().map(|(_, change)| change.what)
}

/// The checkpoint that an entry is, if it is one.
fn seen(origin: [u8; 16], before: Place, link: &Link) -> Option<Seen> {
    let Some(What::Sealed(seal)) = what(link) else { return None };
    Some(Seen {
        entry: link.number,
        seal,
        is_of_chain: (seal.number, seal.hash) == (before.number, before.hash),
        is_signed: is_signed(&seal.signed(origin), seal.key),
    })
}
