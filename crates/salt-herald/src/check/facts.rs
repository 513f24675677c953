//! What is true of this machine, as plain data. Nothing is looked up and nothing judged here.

use std::net::SocketAddr;
use std::path::PathBuf;

use herald_core::seal::PublicKey;
use jiff::Timestamp;

/// Everything that [`super::probe`] looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Who looks.
    pub who: Who,
    /// The account that `salt-herald.service` runs as, if there is one.
    pub service_account: Option<Account>,
    /// Whether the directory of the master's config exists.
    pub config_dir_exists: bool,
    /// The master's event bus.
    pub bus: BusFact,
    /// The master's job cache on disk.
    pub job_cache: JobCacheFact,
    /// Our journal.
    pub journal: JournalFact,
    /// The groups that may read it, and have the daemon do something.
    pub access: AccessFact,
    /// Where metrics are to be fetched, if that is wanted.
    pub metrics: Option<ListenFact>,
}

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Its name, or its number where it has none.
    pub user: String,
    /// The effective user id.
    pub uid: u32,
}

/// An account with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The groups' names, its own among them.
    pub groups: Vec<String>,
}

/// Who owns a thing, and what its mode lets others do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user's name, or its number.
    pub user: String,
    /// The group's name, or its number.
    pub group: String,
    /// The permission bits, as `chmod` takes them.
    pub mode: u32,
}

/// The master's event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusFact {
    /// A unix socket.
    Unix {
        /// Where it is, or would be.
        path: PathBuf,
        /// What is there.
        socket: SocketFact,
    },
    /// A port on this machine.
    Tcp {
        /// Which.
        address: SocketAddr,
        /// What came of connecting to it.
        connect: ConnectFact,
    },
}

/// What is at a socket's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketFact {
    /// Nothing.
    Absent,
    /// We may not look: this directory on the way is closed to us.
    Blocked {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        owner: Owner,
    },
    /// Something that is no socket.
    NotASocket,
    /// A socket.
    Present {
        /// Whose it is.
        owner: Owner,
        /// What came of connecting to it.
        connect: ConnectFact,
    },
}

/// What came of connecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectFact {
    /// Somebody listens.
    Accepted,
    /// Somebody listens and has more callers waiting than it takes.
    Busy,
    /// Nobody listens.
    Refused,
    /// We may not.
    Denied,
    /// Something else: the system's word for it.
    Failed(String),
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirFact {
    /// It is there, and we may do with it what we need.
    Usable,
    /// Nothing is there.
    Missing,
    /// Something is there that is no directory.
    NotADirectory,
    /// We may not do with it what we need.
    Denied {
        /// Whose it is; `None` when we can't even see that.
        owner: Option<Owner>,
    },
    /// Something else: the system's word for it.
    Failed(String),
}

/// The master's job cache on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCacheFact {
    /// What came of looking into it, and into the first job in it.
    pub dir: DirFact,
    /// What `dir` speaks of: the cache, or what in it may not be read.
    pub at: PathBuf,
    /// The directories on the way there, outermost first, and those of one job in it, as far as they
    /// can be seen.
    pub way: Vec<(PathBuf, Owner)>,
}

/// Our journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFact {
    /// The directory that holds it, for writing.
    pub dir: DirFact,
    /// Whose the file is, if there is one that we may not write.
    pub unwritable_file: Option<Owner>,
    /// Why the file would be refused at start: it is damaged, or a later salt-herald's.
    pub refused: Option<String>,
    /// There is no room left where it lies.
    pub is_full: bool,
    /// Its latest checkpoint, if there is one.
    pub signed: Option<SignedFact>,
}

/// How a journal is signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFact {
    /// The entry of the latest checkpoint.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The key by which it can be checked.
    pub key: PublicKey,
    /// Where people were told of checkpoints, and of the last one there when.
    pub told: Vec<(String, Timestamp)>,
}

/// A place where we are to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenFact {
    /// It can be had.
    Free,
    /// A salt-herald listens there.
    Ours,
    /// Somebody else does.
    Taken,
    /// It can't be had: the system's word for it.
    Failed(String),
}

/// The groups that `access` names, as far as it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessFact {
    /// `access.read`.
    pub read: Option<GroupFact>,
    /// `access.hold`.
    pub hold: Option<GroupFact>,
}

/// A group that somebody is to be let in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupFact {
    /// There is none of that name.
    Missing,
    /// The user of `salt-herald.service` is not in it, and so can't give it anything.
    NotOurs,
    /// It can be given what it shall have; or nobody knows, for there is no such user.
    Ours,
}
