//! Whether metrics can be fetched where the config says: looked at, and judged.
//!
//! A port is only taken for an instant, and not listened to. What listens there already is asked
//! whether it is a salt-herald.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::facts::{Facts, ListenFact};
use super::report::{Area, Finding, Report};
use crate::config::Config;
use crate::web::{Address, HEALTHY};

/// Who listens on this machine answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at the place.
pub(super) fn probe(address: &Address) -> ListenFact {
    match address {
        Address::Tcp(address) => port(address),
        Address::Unix(path) => socket(path),
    }
}

fn port(address: &SocketAddr) -> ListenFact {
    match take(address) {
        Ok(()) => ListenFact::Free,
        Err(Errno::ADDRINUSE) => {
            let stream = TcpStream::connect_timeout(address, PATIENCE);
            whose(stream.and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                ask(stream)
            }))
        }
        Err(error) => ListenFact::Failed(io::Error::from(error).to_string()),
    }
}

fn take(address: &SocketAddr) -> Result<(), Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, address)
}

fn socket(path: &Path) -> ListenFact {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return ListenFact::Failed("something is there that is no socket".to_owned());
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return ListenFact::Failed(error.to_string()),
            Ok(stream) => {
                let patient = stream.set_read_timeout(Some(PATIENCE));
                return whose(patient.and_then(|()| ask(stream)));
            }
        },
        Err(_) => {}
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    match accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => ListenFact::Free,
        Err(error) => {
            let why = io::Error::from(error);
            ListenFact::Failed(format!("{} can't be written: {why}", folder.display()))
        }
    }
}

fn whose(answer: io::Result<String>) -> ListenFact {
    match answer {
        Ok(answer) if answer.ends_with(HEALTHY) => ListenFact::Ours,
        Ok(_) | Err(_) => ListenFact::Taken,
    }
}

fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Judges what was seen.
pub(super) fn judge(config: &Config, facts: &Facts, report: &mut Report) {
    let (Some(address), Some(fact)) = (&config.metrics.listen, &facts.metrics) else {
        return;
    };
    let elsewhere = "set metrics.listen to another";
    report.push(match fact {
        ListenFact::Free => {
            Finding::ok(Area::Metrics, format!("{address} is free for who fetches metrics"))
        }
        ListenFact::Ours => {
            Finding::ok(Area::Metrics, format!("salt-herald gives them at {address}"))
        }
        ListenFact::Taken => {
            let message = format!("another program listens at {address}: none can be fetched");
            Finding::warning(Area::Metrics, message).hint(elsewhere)
        }
        ListenFact::Failed(why) => {
            let message = format!("can't listen at {address}: {why}");
            Finding::warning(Area::Metrics, message).hint(elsewhere)
        }
    });
}
