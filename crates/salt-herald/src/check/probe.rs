//! Looks at the machine: thin, and without judgement.
//!
//! It listens to nothing and writes nothing. A connection to the event bus is closed at once,
//! because a master suffers from a listener who does not read.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::facts::{
    AccessFact, Account, BusFact, ConnectFact, DirFact, Facts, GroupFact, JobCacheFact,
    JournalFact, Owner, SignedFact, SocketFact, Who,
};
use super::listen;
use crate::accounts::{gid_of, groups_of, name_of};
use crate::config::{AccessConfig, BusAddress, Config};
use crate::store::{JournalReader, StoreError};

/// The user of `dist/salt-herald.service`.
pub(super) const SERVICE_USER: &str = "salt-herald";

/// A port on the loopback interface answers at once, or not at all.
const TCP_PATIENCE: Duration = Duration::from_secs(1);

/// Looks at everything that a config names on this machine. Blocks for a second at most.
pub fn probe(config: &Config) -> Facts {
    let accounts = Accounts::read();
    let uid = rustix::process::geteuid().as_raw();
    Facts {
        who: Who { user: name_of(uid, &accounts.passwd), uid },
        service_account: groups_of(SERVICE_USER, &accounts.passwd, &accounts.group)
            .map(|groups| Account { groups }),
        config_dir_exists: config.master.config_dir.exists(),
        bus: match config.master.bus_address() {
            BusAddress::Unix(path) => {
                let socket = accounts.socket(&path);
                BusFact::Unix { path, socket }
            }
            BusAddress::Tcp(address) => BusFact::Tcp { address, connect: connect_tcp(&address) },
        },
        job_cache: accounts.job_cache(config.master.job_cache_dir()),
        journal: accounts.journal(&config.journal.path),
        access: accounts.access(&config.access),
        metrics: config.metrics.listen.as_ref().map(listen::probe),
    }
}

/// The texts in which accounts have their names.
struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    fn read() -> Self {
        // Without them, numbers stand in for names.
        let text = |path| {
            fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
        };
        Self { passwd: text("/etc/passwd"), group: text("/etc/group") }
    }

    fn owner(&self, metadata: &fs::Metadata) -> Owner {
        Owner {
            user: name_of(metadata.uid(), &self.passwd),
            group: name_of(metadata.gid(), &self.group),
            mode: metadata.mode() & 0o7777,
        }
    }

    fn access(&self, config: &AccessConfig) -> AccessFact {
        let ours = groups_of(SERVICE_USER, &self.passwd, &self.group);
        let look = |name: &Option<String>| {
            let gid = gid_of(name.as_deref()?, &self.group);
            let is_ours = |gid| {
                let name = name_of(gid, &self.group);
                ours.as_ref().is_none_or(|ours| ours.contains(&name))
            };
            Some(match gid {
                None => GroupFact::Missing,
                Some(gid) if is_ours(gid) => GroupFact::Ours,
                Some(_) => GroupFact::NotOurs,
            })
        };
        AccessFact { read: look(&config.read), hold: look(&config.hold) }
    }

    fn socket(&self, path: &Path) -> SocketFact {
        match fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => {
                SocketFact::Present { owner: self.owner(&metadata), connect: connect_unix(path) }
            }
            Ok(_) => SocketFact::NotASocket,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.blocked(path),
            Err(_) => SocketFact::Absent,
        }
    }

    /// The innermost directory that we still see is the one that we may not enter.
    fn blocked(&self, path: &Path) -> SocketFact {
        let seen = path.ancestors().skip(1).find_map(|dir| {
            let metadata = fs::metadata(dir).ok()?;
            Some(SocketFact::Blocked { dir: dir.to_path_buf(), owner: self.owner(&metadata) })
        });
        seen.unwrap_or(SocketFact::Absent)
    }

    fn dir(&self, path: &Path, wanted: Access) -> DirFact {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return no_dir(&error),
        };
        if !metadata.is_dir() {
            return DirFact::NotADirectory;
        }
        match accessat(CWD, path, wanted, AtFlags::EACCESS) {
            Ok(()) => DirFact::Usable,
            Err(Errno::ACCESS) => DirFact::Denied { owner: Some(self.owner(&metadata)) },
            Err(error) => DirFact::Failed(io::Error::from(error).to_string()),
        }
    }

    fn job_cache(&self, root: PathBuf) -> JobCacheFact {
        let mut dirs: Vec<PathBuf> = root.ancestors().map(Path::to_path_buf).collect();
        dirs.reverse();
        dirs.extend(one_job(&root));
        let usable = |path: &Path| self.dir(path, Access::READ_OK | Access::EXEC_OK);
        // A job that is cleaned away while we look says nothing.
        let closed = dirs.iter().filter(|dir| dir.starts_with(&root)).find_map(|dir| {
            let found = usable(dir);
            let tells = *dir == root || matches!(found, DirFact::Denied { .. });
            (tells && found != DirFact::Usable).then(|| (dir.clone(), found))
        });
        let seen = |dir: PathBuf| Some((self.owner(&fs::metadata(&dir).ok()?), dir));
        let way = dirs.into_iter().filter_map(seen).map(|(owner, dir)| (dir, owner)).collect();
        let (at, dir) = closed.unwrap_or((root, DirFact::Usable));
        JobCacheFact { dir, at, way }
    }

    fn journal(&self, path: &Path) -> JournalFact {
        let parent = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
        let unwritable_file = fs::metadata(path)
            .ok()
            .filter(|_| accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_err())
            .map(|metadata| self.owner(&metadata));
        let dir = self.dir(&parent, Access::WRITE_OK | Access::EXEC_OK);
        let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let dir = if is_special {
            DirFact::Failed(format!("{} is there and is no regular file", path.display()))
        } else {
            dir
        };
        let refused = JournalReader::examine(path).err().and_then(|error| match error {
            StoreError::Broken { .. } | StoreError::Newer { .. } => Some(error.to_string()),
            // That it can't be read is the owner's matter, see above.
            _ => None,
        });
        let room = rustix::fs::statvfs(&parent).ok();
        let is_full = room.is_some_and(|room| room.f_blocks > 0 && room.f_bavail == 0);
        let signed = if is_special { None } else { signed(path) };
        JournalFact { dir, unwritable_file, refused, is_full, signed }
    }
}

/// The directories of any one job in a cache: what the master's umask makes of one, it makes of all.
fn one_job(root: &Path) -> Vec<PathBuf> {
    let first = |dir: &Path| {
        let mut dirs = fs::read_dir(dir).ok()?.filter_map(Result::ok).map(|found| found.path());
        dirs.find(|path| path.is_dir())
    };
    let shard = first(root);
    let job = shard.as_deref().and_then(first);
    shard.into_iter().chain(job).collect()
}

fn no_dir(error: &io::Error) -> DirFact {
    match error.kind() {
        io::ErrorKind::NotFound => DirFact::Missing,
        io::ErrorKind::PermissionDenied => DirFact::Denied { owner: None },
        _ => DirFact::Failed(error.to_string()),
    }
}

/// Connects without waiting, since a blocking connect waits for ever while the backlog is full.
fn connect_unix(path: &Path) -> ConnectFact {
    let connected = SocketAddrUnix::new(path).and_then(|address| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &address)
    });
    match connected {
        Ok(()) => ConnectFact::Accepted,
        Err(Errno::AGAIN) => ConnectFact::Busy,
        Err(Errno::CONNREFUSED) => ConnectFact::Refused,
        Err(Errno::ACCESS | Errno::PERM) => ConnectFact::Denied,
        Err(error) => ConnectFact::Failed(io::Error::from(error).to_string()),
    }
}

fn connect_tcp(address: &SocketAddr) -> ConnectFact {
    match TcpStream::connect_timeout(address, TCP_PATIENCE) {
        Ok(_) => ConnectFact::Accepted,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => ConnectFact::Refused,
        Err(error) => ConnectFact::Failed(error.to_string()),
    }
}

/// The latest checkpoint, where there is a journal that we may read.
fn signed(path: &Path) -> Option<SignedFact> {
    let reader = JournalReader::open(path).ok()?;
    let checkpoint = reader.last_seal().ok()??.checkpoint;
    let (key, _) = reader.seal_keys().ok()?.pop()?;
    let sinks = reader.sinks().ok()?;
    let told =
        sinks.into_iter().filter_map(|sink| Some((sink.name, sink.checkpoint?.at))).collect();
    Some(SignedFact { number: checkpoint.number, at: checkpoint.at, key, told })
}
