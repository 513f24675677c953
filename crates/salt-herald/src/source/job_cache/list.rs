//! Which jobs a cache holds: the folders, and in each the small file that names its jid. Nothing
//! else of a job is looked at.

use std::fs::{DirEntry, ReadDir};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use salt_event::time::{MAX_JID, is_jid, jid_time};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::files::{self, Why};
use super::{JobCacheError, Skipped, problem};

/// Most jobs that are listed: about 150 MB. Of more, the latest.
const MAX_LISTED: usize = 1_000_000;

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

pub(super) fn list(
    root: &Path,
    since: Timestamp,
    until: Timestamp,
) -> Result<Listing, JobCacheError> {
    let mut listing = Listing::default();
    let tops = std::fs::read_dir(root).map_err(|source| problem(root, source))?;
    let mut path = root.to_owned();
    for top in folders(tops, &mut listing.skipped) {
        path.push(&top);
        match std::fs::read_dir(&path) {
            Ok(entries) => {
                let names = folders(entries, &mut listing.skipped);
                take_folder(&mut path, &top, &names, since..until, &mut listing);
            }
            Err(error) => listing.skipped.count(Why::of(&error)),
        }
        path.pop();
    }
    listing.shorten(MAX_LISTED);
    listing.jobs.sort_unstable();
    Ok(listing)
}

fn take_folder(
    path: &mut PathBuf,
    top: &str,
    names: &[String],
    wanted: std::ops::Range<Timestamp>,
    listing: &mut Listing,
) {
    for name in names {
        path.push(name);
        path.push("jid");
        let read = files::read(path, MAX_JID as u64 + 1);
        path.pop();
        path.pop();
        match read.map(|(bytes, _)| place(&bytes, top, name)) {
            Ok(Some(place)) => listing.take(place, &wanted),
            // Not yet written, or of a job that is just being removed.
            Err(Why::Gone) => {}
            Ok(None) => listing.skipped.odd += 1,
            Err(why) => listing.skipped.count(why),
        }
    }
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
fn place(jid: &[u8], top: &str, name: &str) -> Option<Place> {
    let jid = str::from_utf8(jid).ok()?.trim_end();
    let at = jid_time(jid)?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Place { at, jid: jid.into(), folder: format!("{top}/{name}").into() })
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
pub(super) fn find(root: &Path, jid: &str) -> Result<Option<Place>, JobCacheError> {
    if !is_jid(jid) {
        return Ok(None);
    }
    for hash in [hex::<Sha256>(jid), hex::<Sha512>(jid), hex::<Sha384>(jid), hex::<Sha224>(jid)] {
        let Some((top, name)) = hash.split_at_checked(2) else { continue };
        let folder = root.join(top).join(name);
        let Ok((bytes, _)) = files::read(&folder.join("jid"), MAX_JID as u64 + 1) else { continue };
        if let Some(place) = place(&bytes, top, name).filter(|place| *place.jid == *jid) {
            return Ok(Some(place));
        }
    }
    let all = list(root, Timestamp::MIN, Timestamp::MAX)?;
    Ok(all.jobs.into_iter().find(|place| *place.jid == *jid))
}

fn hex<D: Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
