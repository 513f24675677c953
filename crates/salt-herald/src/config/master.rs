//! What the master's own config says, as far as it matters to us.
//!
//! Lenient, because the master's config is the master's: what we don't read is ignored, what is
//! wrong is a warning and counts as not set. Defaults and rules are those of Salt's
//! `DEFAULT_MASTER_OPTS`, `apply_master_config` and `prepend_root_dir` (3006.20, 3007.14, 3008.2).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::include;
use super::problem::Problem;
use super::table::{Given, Table};
use super::values::{
    Mismatch, boolean, optional_text, path_lists, port, salt_seconds, salt_text, text, text_table,
    texts,
};
use super::yaml::{Place, Value};

/// What can be set under `salt` beside `config_dir`.
pub(super) const KEYS: &[&str] = &[
    "root_dir",
    "user",
    "id",
    "interface",
    "ipv6",
    "sock_dir",
    "cachedir",
    "ipc_mode",
    "tcp_master_pub_port",
    "timeout",
    "gather_job_timeout",
    "order_masters",
    "syndic_wait",
    "syndic_master",
    "keep_jobs",
    "keep_jobs_seconds",
    "unique_jid",
    "utc_jid",
    "job_cache",
    "master_job_cache",
    "ext_job_cache",
    "hash_type",
    "fileserver_backend",
    "file_roots",
    "nodegroups",
];

/// The master's settings, each with Salt's default where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterConfig {
    /// Where `master` and `master.d` are.
    pub config_dir: PathBuf,
    /// The files that were read, in their order; empty when this machine has no master config.
    pub files: Vec<PathBuf>,
    /// They are there, and nothing in them could not be read: what is not set has Salt's default.
    pub is_whole: bool,
    /// What goes before every path that it governs.
    pub root_dir: PathBuf,
    /// The user that the master runs as; `None`: whoever starts it, mostly root.
    pub user: Option<String>,
    /// The master's own id; `None`: Salt makes one from the host's name.
    pub id: Option<String>,
    /// The address on which minions reach it.
    pub interface: String,
    /// Whether it speaks IPv6.
    pub ipv6: bool,
    /// Where its sockets are.
    pub sock_dir: PathBuf,
    /// Where its caches are, the job cache among them.
    pub cachedir: PathBuf,
    /// What its event bus is made of.
    pub ipc_mode: IpcMode,
    /// The event bus' port with [`IpcMode::Tcp`].
    pub tcp_master_pub_port: u16,
    /// How long the `salt` command waits for returns until it asks who still works.
    pub timeout: Duration,
    /// How long it then waits for the answers.
    pub gather_job_timeout: Duration,
    /// There may be masters below, with syndics.
    pub order_masters: bool,
    /// How long the client waits for more minions from there.
    pub syndic_wait: Duration,
    /// It is itself below another: it has a syndic.
    pub has_syndic: bool,
    /// How long the job cache keeps a job; zero: for ever.
    pub keep_jobs: Duration,
    /// Whether jids have the process id at their end.
    pub unique_jid: bool,
    /// Whether jids are times in UTC; else in the master's zone.
    pub utc_jid: bool,
    /// Whether returns are put into the job cache.
    pub job_cache: bool,
    /// The returner that is the job cache; `local_cache` is the one on disk.
    pub master_job_cache: String,
    /// The returner that keeps returns; the master's job cache gets none when it is set.
    pub ext_job_cache: Option<String>,
    /// The hash of a job's jid by which its folder in the job cache is named.
    pub hash_type: String,
    /// Where files come from: `roots`, `gitfs`, …
    pub fileserver_backend: Vec<String>,
    /// The directories of each environment's state tree.
    pub file_roots: BTreeMap<String, Vec<PathBuf>>,
    /// Named targets, each a compound expression.
    pub nodegroups: BTreeMap<String, String>,
}

/// What the master's event bus is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcMode {
    /// Unix sockets.
    Ipc,
    /// TCP on the loopback interface.
    Tcp,
}

/// Where the master publishes its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusAddress {
    /// A unix socket.
    Unix(PathBuf),
    /// A port on this machine.
    Tcp(SocketAddr),
}

impl MasterConfig {
    /// Where the master publishes its events.
    pub fn bus_address(&self) -> BusAddress {
        match self.ipc_mode {
            IpcMode::Ipc => BusAddress::Unix(self.sock_dir.join("master_event_pub.ipc")),
            IpcMode::Tcp => {
                // 3008 listens on ::1 with `ipv6: true`; 3006 and 3007 have 127.0.0.1 only.
                let host = if self.ipv6 {
                    IpAddr::V6(Ipv6Addr::LOCALHOST)
                } else {
                    IpAddr::V4(Ipv4Addr::LOCALHOST)
                };
                BusAddress::Tcp(SocketAddr::new(host, self.tcp_master_pub_port))
            }
        }
    }

    /// The root of the job cache on disk (`local_cache`).
    pub fn job_cache_dir(&self) -> PathBuf {
        self.cachedir.join("jobs")
    }

    /// Whether that cache gets what minions return.
    pub fn keeps_returns(&self) -> bool {
        self.job_cache && self.ext_job_cache.is_none() && self.master_job_cache == "local_cache"
    }

    /// Whether each job's load is in that cache, at a place that can be told. The master keeps loads
    /// whatever becomes of returns.
    pub fn keeps_loads(&self) -> bool {
        const KNOWN: [&str; 4] = ["sha224", "sha256", "sha384", "sha512"];
        self.master_job_cache == "local_cache"
            && KNOWN.contains(&self.hash_type.to_lowercase().as_str())
    }

    /// By which clock jids are made.
    pub fn jid_zone(&self) -> TimeZone {
        if self.utc_jid { TimeZone::UTC } else { TimeZone::system() }
    }
}

/// Reads the master's config and lays over it what stands in `own`, our `salt` table.
pub(super) fn read(
    config_dir: &Path,
    own: &mut Table,
    problems: &mut Vec<Problem>,
) -> MasterConfig {
    let read = include::read(config_dir);
    let is_whole = read.problems.is_empty() && !read.files.is_empty();
    problems.extend(read.problems);
    let file: Arc<Path> = Arc::from(config_dir.join("master"));
    let mut salt = Table::new("", Place { file, line: 0, column: 0 }, read.entries).lenient();
    let mut settings = Settings { own, salt: &mut salt, problems };
    let root_dir = settings.get("root_dir", text).map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let (sock_dir, cachedir) = settings.directories(&root_dir);
    MasterConfig {
        config_dir: config_dir.to_path_buf(),
        files: read.files,
        is_whole,
        user: settings.get("user", text),
        id: settings.get("id", salt_text),
        interface: settings.get("interface", text).unwrap_or_else(|| "0.0.0.0".to_owned()),
        ipv6: settings.get("ipv6", boolean).unwrap_or(false),
        sock_dir,
        cachedir,
        ipc_mode: settings.get("ipc_mode", ipc_mode).unwrap_or(IpcMode::Ipc),
        tcp_master_pub_port: settings.get("tcp_master_pub_port", port).unwrap_or(4512),
        timeout: settings.seconds("timeout", 5),
        gather_job_timeout: settings.seconds("gather_job_timeout", 10),
        order_masters: settings.get("order_masters", boolean).unwrap_or(false),
        syndic_wait: settings.seconds("syndic_wait", 5),
        has_syndic: settings.get("syndic_master", is_set).unwrap_or(false),
        keep_jobs: settings.keep_jobs(),
        unique_jid: settings.get("unique_jid", boolean).unwrap_or(false),
        utc_jid: settings.get("utc_jid", boolean).unwrap_or(false),
        job_cache: settings.get("job_cache", boolean).unwrap_or(true),
        master_job_cache: settings
            .get("master_job_cache", text)
            .unwrap_or_else(|| "local_cache".to_owned()),
        ext_job_cache: settings.get("ext_job_cache", optional_text).flatten(),
        hash_type: settings.get("hash_type", text).unwrap_or_else(|| "sha256".to_owned()),
        fileserver_backend: settings
            .get("fileserver_backend", texts)
            .unwrap_or_else(|| vec!["roots".to_owned()]),
        file_roots: settings.get("file_roots", path_lists).unwrap_or_else(default_file_roots),
        nodegroups: settings.get("nodegroups", text_table).unwrap_or_default(),
        root_dir,
    }
}

/// Salt's way to switch something off is an empty value; a syndic may have several masters above.
fn is_set(value: Value) -> Result<bool, Mismatch> {
    Ok(match value {
        Value::Null | Value::Bool(false) => false,
        Value::Text(text) => !text.is_empty(),
        _ => true,
    })
}

fn ipc_mode(value: Value) -> Result<IpcMode, Mismatch> {
    // Salt asks only whether it is "tcp".
    match text(value)?.as_str() {
        "tcp" => Ok(IpcMode::Tcp),
        "ipc" => Ok(IpcMode::Ipc),
        _ => Err(Mismatch::new("must be \"ipc\" or \"tcp\"")),
    }
}

fn default_file_roots() -> BTreeMap<String, Vec<PathBuf>> {
    let base = vec![PathBuf::from("/srv/salt"), PathBuf::from("/srv/spm/salt")];
    BTreeMap::from([("base".to_owned(), base)])
}

/// Two tables, of which ours wins.
struct Settings<'a> {
    own: &'a mut Table,
    salt: &'a mut Table,
    problems: &'a mut Vec<Problem>,
}

impl Settings<'_> {
    fn get<T>(&mut self, key: &'static str, read: fn(Value) -> Result<T, Mismatch>) -> Option<T> {
        let (own, salt) = self.both(key, read);
        own.or(salt).map(|given| given.value)
    }

    fn both<T>(
        &mut self,
        key: &'static str,
        read: fn(Value) -> Result<T, Mismatch>,
    ) -> (Option<Given<T>>, Option<Given<T>>) {
        let own = self.own.take(key, read, self.problems);
        let salt = self.salt.take(key, read, self.problems);
        (own, salt)
    }

    fn seconds(&mut self, key: &'static str, default: u64) -> Duration {
        self.get(key, salt_seconds).unwrap_or(Duration::from_secs(default))
    }

    /// `get_keep_jobs_seconds`: the older key, in hours, counts when it alone was changed. 3008
    /// does not know the older key any more.
    fn keep_jobs(&mut self) -> Duration {
        let default = Duration::from_secs(86_400);
        let seconds = self.seconds("keep_jobs_seconds", 86_400);
        let hours = self.get("keep_jobs", salt_seconds);
        match hours {
            Some(hours) if seconds == default && hours != Duration::from_secs(24) => {
                hours.saturating_mul(3_600)
            }
            _ => seconds,
        }
    }

    /// `sock_dir` and `cachedir`. What stands in our own config is meant to the letter; what
    /// stands in the master's goes through the master's rules.
    fn directories(&mut self, root_dir: &Path) -> (PathBuf, PathBuf) {
        let (own_sock, salt_sock) = self.both("sock_dir", text);
        let (own_cache, salt_cache) = self.both("cachedir", text);
        let or = |given: Option<Given<String>>, default: &str| {
            given.map_or_else(|| default.to_owned(), |given| given.value)
        };
        let cachedir = or(salt_cache, "/var/cache/salt/master");
        let mut sock_dir = or(salt_sock, "/var/run/salt/master");
        // Salt keeps a long sock_dir beside a short cachedir from overflowing a socket's name.
        if sock_dir.chars().count() > cachedir.chars().count() + 10 {
            sock_dir = Path::new(&cachedir).join(".salt-unix").to_string_lossy().into_owned();
        }
        let mut literal = |given: Option<Given<String>>, salt: &str| match given {
            Some(given) if Path::new(&given.value).is_absolute() => PathBuf::from(given.value),
            Some(given) => {
                self.problems
                    .push(given.problem("must be an absolute path").hint("start it with \"/\""));
                below_root_dir(root_dir, Path::new(salt))
            }
            None => below_root_dir(root_dir, Path::new(salt)),
        };
        (literal(own_sock, &sock_dir), literal(own_cache, &cachedir))
    }
}

/// `prepend_root_dir` where Salt's own root is `/`, as in every package: a path that is not below
/// `root_dir` yet is put there, though it be absolute.
fn below_root_dir(root_dir: &Path, path: &Path) -> PathBuf {
    let root_dir = normalize(root_dir);
    let path = normalize(path);
    if path.starts_with(&root_dir) && path != root_dir {
        return path;
    }
    root_dir.join(path.strip_prefix("/").unwrap_or(&path))
}

/// `os.path.normpath`: without `.`, `..` and doubled slashes, asking no file system.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
