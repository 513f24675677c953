//! Which jobs a cache holds: the folders, and in each the small file that names its jid. Nothing
//! else of a job is looked at.

use std::fs::{DirEntry, ReadDir};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use salt_event::time::{MAX_JID, is_jid, jid_time};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::files::{self, Why};
use super::{JobCacheError, Skipped, problem};

/// Most jobs that are listed: about 150 MB. Of more, the latest.
const MAX_LISTED: usize = 1_000_000;

/// How long after its jid was made a job's files are written at the latest.
const WRITTEN_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// Where a job's files are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it began, by its jid.
    pub at: Timestamp,
    /// Its jid.
    pub jid: Box<str>,
    /// Its folder below the cache's.
    pub(super) folder: Box<str>,
}

/// The jobs of a time.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order in which they began.
    pub jobs: Vec<Place>,
    /// How many the cache holds in all.
    pub held: u64,
    /// When the earliest that it holds began.
    pub earliest: Option<Timestamp>,
    /// How many of that time are not listed: the earliest of too many.
    pub left_out: u64,
    /// What could not be read.
    pub skipped: Skipped,
}

/// Of which time jobs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Something was written to them at that time or later.
    pub since: Timestamp,
    /// They began before that time.
    pub until: Timestamp,
    /// They began at that time or later, whatever was written to them.
    pub not_before: Timestamp,
}

pub(super) fn list(
    root: &Path,
    zone: &TimeZone,
    since: Timestamp,
    until: Timestamp,
) -> Result<Listing, JobCacheError> {
    let span = Span { since: Timestamp::MIN, until, not_before: since };
    walk(root, zone, span, &mut || true)
}

/// A job's folder is written to when the job begins and with each minion that returns.
pub(super) fn changed(
    root: &Path,
    zone: &TimeZone,
    span: Span,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Listing, JobCacheError> {
    walk(root, zone, span, go_on)
}

fn walk(
    root: &Path,
    zone: &TimeZone,
    span: Span,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Listing, JobCacheError> {
    let mut walk = Walk { zone, span, path: root.to_owned(), listing: Listing::default() };
    let tops = std::fs::read_dir(root).map_err(|source| problem(root, source))?;
    for top in folders(tops, &mut walk.listing.skipped) {
        walk.path.push(&top);
        match std::fs::read_dir(&walk.path) {
            Ok(entries) => walk.take_folders(&top, entries, go_on),
            Err(error) => walk.listing.skipped.count(Why::of(&error)),
        }
        walk.path.pop();
    }
    let mut listing = walk.listing;
    listing.shorten(MAX_LISTED);
    listing.jobs.sort_unstable();
    Ok(listing)
}

struct Walk<'a> {
    zone: &'a TimeZone,
    span: Span,
    path: PathBuf,
    listing: Listing,
}

impl Walk<'_> {
    fn take_folders(&mut self, top: &str, entries: ReadDir, go_on: &mut dyn FnMut() -> bool) {
        // Asking for a folder's time costs something: only where it can rule one out.
        let asks_time = self.span.since > Timestamp::MIN;
        for entry in entries {
            if !go_on() {
                return;
            }
            let found = entry.map(|entry| (folder(&entry), entry));
            let (name, entry) = match found {
                Ok((Some(name), entry)) => (name, entry),
                Ok((None, _)) => {
                    self.listing.skipped.odd += 1;
                    continue;
                }
                Err(error) => {
                    self.listing.skipped.count(Why::of(&error));
                    continue;
                }
            };
            if asks_time && is_untouched(&entry, self.span.since) {
                self.listing.held += 1;
                continue;
            }
            self.take_folder(top, &name);
        }
    }

    fn take_folder(&mut self, top: &str, name: &str) {
        self.path.push(name);
        self.path.push("jid");
        let read = files::read(&self.path, MAX_JID as u64 + 1);
        self.path.pop();
        self.path.pop();
        match read.map(|(bytes, written)| place(&bytes, written, self.zone, top, name)) {
            Ok(Some(place)) => self.listing.take(place, &(self.span.not_before..self.span.until)),
            // Not yet written, or of a job that is just being removed.
            Err(Why::Gone) => {}
            Ok(None) => self.listing.skipped.odd += 1,
            Err(why) => self.listing.skipped.count(why),
        }
    }
}

fn is_untouched(entry: &DirEntry, since: Timestamp) -> bool {
    let written = entry.metadata().and_then(|about| about.modified()).ok();
    written.and_then(|at| Timestamp::try_from(at).ok()).is_some_and(|at| at < since)
}

impl Listing {
    fn take(&mut self, place: Place, wanted: &std::ops::Range<Timestamp>) {
        self.held += 1;
        self.earliest = Some(self.earliest.map_or(place.at, |earliest| earliest.min(place.at)));
        if wanted.contains(&place.at) {
            self.jobs.push(place);
        }
        if self.jobs.len() >= 2 * MAX_LISTED {
            self.shorten(MAX_LISTED);
        }
    }

    /// Keeps the latest.
    fn shorten(&mut self, limit: usize) {
        let Some(surplus) = self.jobs.len().checked_sub(limit).filter(|surplus| *surplus > 0)
        else {
            return;
        };
        self.jobs.select_nth_unstable(surplus);
        self.jobs.drain(..surplus);
        self.left_out += surplus as u64;
    }
}

/// The job of a folder, if its jid is a time.
fn place(
    jid: &[u8],
    written: Option<Timestamp>,
    zone: &TimeZone,
    top: &str,
    name: &str,
) -> Option<Place> {
    let jid = str::from_utf8(jid).ok()?.trim_end();
    let at = time_of(jid_time(jid)?, written, zone)?;
    Some(Place { at, jid: jid.into(), folder: format!("{top}/{name}").into() })
}

/// The time that a jid is. An hour that comes twice, and a master with a clock of its own, are told
/// by when the file was written.
fn time_of(jid: DateTime, written: Option<Timestamp>, zone: &TimeZone) -> Option<Timestamp> {
    let meant = zone.to_ambiguous_zoned(jid);
    let usual = meant.clone().compatible().ok()?.timestamp();
    let Some(written) = written else { return Some(usual) };
    let fits = |at: &Timestamp| written.duration_since(*at).abs() <= WRITTEN_WITHIN;
    let later = meant.later().ok().map(|zoned| zoned.timestamp());
    let utc = jid.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    Some([Some(usual), later, utc].into_iter().flatten().find(fits).unwrap_or(usual))
}

/// The names of the folders among entries. Whoever links elsewhere is not followed.
fn folders(entries: ReadDir, skipped: &mut Skipped) -> Vec<String> {
    let mut names = Vec::new();
    for entry in entries {
        match entry.map(|entry| folder(&entry)) {
            Ok(Some(name)) => names.push(name),
            Ok(None) => skipped.odd += 1,
            Err(error) => skipped.count(Why::of(&error)),
        }
    }
    names
}

fn folder(entry: &DirEntry) -> Option<String> {
    entry.file_type().ok().filter(std::fs::FileType::is_dir)?;
    entry.file_name().into_string().ok()
}

/// The folder's name is a hash of the jid; which, the master's `hash_type` says. The usual ones are
/// tried, and with another all folders are gone through.
pub(super) fn find(
    root: &Path,
    zone: &TimeZone,
    jid: &str,
) -> Result<Option<Place>, JobCacheError> {
    if !is_jid(jid) {
        return Ok(None);
    }
    if let Some(place) = look_up(root, zone, jid) {
        return Ok(Some(place));
    }
    let all = list(root, zone, Timestamp::MIN, Timestamp::MAX)?;
    Ok(all.jobs.into_iter().find(|place| *place.jid == *jid))
}

/// The job where the usual hashes put it.
pub(super) fn look_up(root: &Path, zone: &TimeZone, jid: &str) -> Option<Place> {
    if !is_jid(jid) {
        return None;
    }
    for folder in places(root, jid) {
        let read = files::read(&folder.join("jid"), MAX_JID as u64 + 1);
        let Ok((bytes, written)) = read else { continue };
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let Some((top, name)) = folder.parent().and_then(name).zip(name(&folder)) else { continue };
        let place = place(&bytes, written, zone, &top, &name);
        if let Some(place) = place.filter(|place| *place.jid == *jid) {
            return Some(place);
        }
    }
    None
}

/// Where the usual hashes put a job, the likeliest first.
pub(super) fn places(root: &Path, jid: &str) -> impl Iterator<Item = PathBuf> {
    const HASHES: [fn(&str) -> String; 4] =
        [hex::<Sha256>, hex::<Sha512>, hex::<Sha384>, hex::<Sha224>];
    HASHES.into_iter().filter_map(move |hash| {
        let hash = hash(jid);
        let (top, name) = hash.split_at_checked(2)?;
        Some(root.join(top).join(name))
    })
}

fn hex<D: Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
