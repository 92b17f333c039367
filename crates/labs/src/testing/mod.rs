//! What the tests of all labs share: runs in the simulator, judged, and runs of the lab's own program.
//!
//! Behind the feature `testing`, which only tests turn on. A test has no caller to whom it could return an
//! error: everything here panics where something is not as it must be, and says what.

mod memory;
mod models;
mod program;
mod system;

pub(crate) use self::memory::FileInMemory;
pub use self::models::{
    Simulated, assert_saved_trace_shows_it, counterexample, judged_again, only, simulate,
    simulate_with_faults, violated,
};
pub use self::program::{Program, Ran, Running};
pub use self::system::{
    assert_nothing_left, command_line, connections, left_of, sockets, wait_until, with_hosts,
};
