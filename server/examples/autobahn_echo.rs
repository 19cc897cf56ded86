//! The relay as it is, but for its WebSocket sessions, which send every message back: what Autobahn's fuzzing client talks to.
//! Built with the feature `echo`, which the released binary never has.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookcast::cli::run()
}
