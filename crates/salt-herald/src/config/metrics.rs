//! The `metrics` table: where they can be fetched.
//!
//! Whether that address can be had on this machine is not asked here: that is `check`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::problem::Problem;
use super::schema;
use super::table::Table;
use super::values::{Mismatch, line};
use super::yaml::Value;
use crate::web::Address;

/// What is proposed where something else stands.
const EXAMPLE: &str = "127.0.0.1:9745";
/// Longest path of a unix socket, in bytes.
const LONGEST_SOCKET: usize = 107;

/// The metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Where they can be fetched; nowhere, unless the config says so.
    pub listen: Option<Address>,
}

/// Reads the table.
pub(super) fn read(mut table: Table, problems: &mut Vec<Problem>) -> MetricsConfig {
    let listen = table.take("listen", address, problems).map(|given| given.value);
    table.finish(schema::elsewhere("metrics"), problems);
    MetricsConfig { listen }
}

fn address(value: Value) -> Result<Address, Mismatch> {
    let wanted = || Mismatch::new("must be an address with a port, or the path of a unix socket");
    if let Value::Integer(port) = value {
        return Err(wanted().hint(format!("write \"127.0.0.1:{port}\"")));
    }
    let text = line(value)?;
    let text = text.trim();
    if text.starts_with('/') {
        return socket(text);
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => {
            Err(Mismatch::new("must have a port, 1 to 65535").hint(format!("write {EXAMPLE}")))
        }
        Ok(address) if address.ip().is_unspecified() => Err(everywhere()),
        Ok(address) => Ok(Address::Tcp(address)),
        Err(_) if text.starts_with(':') || text.starts_with("*:") => Err(everywhere()),
        Err(_) => Err(wanted().hint(format!("write {EXAMPLE}, with an IP address and no name"))),
    }
}

fn everywhere() -> Mismatch {
    Mismatch::new("would listen on every address of this machine").hint(format!(
        "name one: {EXAMPLE} for who scrapes on this machine, or the address that the scraper \
         reaches; nobody is asked for a password"
    ))
}

fn socket(text: &str) -> Result<Address, Mismatch> {
    if text.len() > LONGEST_SOCKET {
        return Err(Mismatch::new("is too long a path for a unix socket")
            .hint(format!("at most {LONGEST_SOCKET} bytes")));
    }
    Ok(Address::Unix(PathBuf::from(text)))
}
