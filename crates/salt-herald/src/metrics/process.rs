//! What the process itself takes up, by the kernel's own word, under the names that every exporter
//! uses.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::numbers::gauge_of;

/// What the process takes up.
#[derive(Debug, Default)]
pub(super) struct ProcessNumbers {
    resident: Gauge,
    open_files: Gauge,
}

impl ProcessNumbers {
    pub(super) fn register(&self, registry: &mut Registry) {
        let (name, help) = ("process_resident_memory", "Memory that is not swapped out");
        registry.register_with_unit(name, help, Unit::Bytes, self.resident.clone());
        let help = "File handles that are open";
        registry.register("process_open_fds", help, self.open_files.clone());
    }

    pub(super) fn ask(&self) {
        if let Some(kibibytes) = resident() {
            self.resident.set(gauge_of(kibibytes.saturating_mul(1024)));
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            self.open_files.set(gauge_of(files.count().saturating_sub(1)));
        }
    }
}

/// In KiB.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
