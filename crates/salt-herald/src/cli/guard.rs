//! What the process does to itself before all else, so that nothing it holds or makes gets to others:
//! no core dump, and no file that everybody may read.
//!
//! Under systemd the units do the same; this is for who starts it otherwise. What can't be done is left:
//! a stricter limit or mask than ours stays.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// What nobody else may do with what we make, whatever mask we were started with.
const OTHERS: Mode = Mode::WGRP.union(Mode::RWXO);

/// To be called before there is a second thread: the mask is the process's.
pub(super) fn guard() {
    let given = umask(OTHERS.union(Mode::RWXG));
    umask(given.union(OTHERS));
    // Memory holds tokens, and what was on the bus. systemd's filter refuses it; its unit says the same.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
}
