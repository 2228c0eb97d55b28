//! `check`: searches every reachable state of the Steadfast protocol within named bounds, and runs
//! seeds in the simulator.

use std::process::ExitCode;

fn main() -> ExitCode {
    steadfast_checks::check().run()
}
