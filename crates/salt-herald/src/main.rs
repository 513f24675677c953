//! The command: hands its arguments to the library.

fn main() {}
