//! Measures salt-herald as people run it, the binary, beside what it replaces and beside the limit
//! of the machine, all in one run: figures of different runs and machines say little.
//!
//! It judges nothing and asserts only that the work was really done; but `soak` fails when what the
//! daemon uses or how long it takes grows with time.

mod burst;
mod bus;
mod fleet;
mod herald;
mod ingest;
mod latency;
mod memory;
mod peers;
mod soak;
mod table;

use std::path::PathBuf;

use clap::Parser;

use table::Table;

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures salt-herald beside its peers.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// The salt-herald to measure.
    #[arg(long, default_value = "target/release/salt-herald")]
    herald: PathBuf,
    /// A Python with Salt installed, for the peers; without it they are left out.
    #[arg(long)]
    salt_python: Option<PathBuf>,
    /// A running lab with the usual reactor in it, as the lab's line of JSON, and the address of
    /// its receiver; without it the reactor is left out.
    #[arg(long)]
    reactor_lab: Option<PathBuf>,
    /// How many minions return.
    #[arg(long, default_value_t = 10_000)]
    minions: usize,
    /// How many commands are announced for the latency.
    #[arg(long, default_value_t = 60)]
    commands: usize,
    /// How often each figure of throughput is taken; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// What else can be measured.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum What {
    /// Whether it stays as it is under a busy site's traffic, many times as fast; fails if not.
    Soak(soak::Soak),
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let mut table = Table::default();
    println!("{}", table::machine());
    if let Some(What::Soak(soak)) = options.what {
        let outcome = soak::measure(&options, soak, &mut table);
        println!("{table}");
        return outcome;
    }
    ingest::measure(&options, &mut table)?;
    memory::measure(&options, &mut table)?;
    latency::measure(&options, &mut table)?;
    burst::measure(&options, &mut table)?;
    println!("{table}");
    Ok(())
}
