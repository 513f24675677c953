//! The command: hands its arguments to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    salt_herald::cli::main()
}
