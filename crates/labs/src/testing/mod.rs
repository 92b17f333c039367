//! What the tests of all labs share: runs in the simulator, judged, and runs of the lab's own program.
//!
//! Behind the feature `testing`, which only tests turn on. A test has no caller to whom it could return an
//! error: everything here panics where something is not as it must be, and says what.

mod hunting;
mod memory;
mod processes;
mod program;
mod story;
mod system;

pub use self::hunting::{every_mistake_shows, hunted, nothing_is_found};
pub(crate) use self::memory::FileInMemory;
pub use self::processes::{
    assert_nothing_left, command_line, connections, left_of, sockets, wait_until, with_hosts,
};
pub use self::program::{Program, Ran, Running};
pub use self::story::Story;
#[cfg(feature = "script")]
pub use self::system::run_scripts;
pub use self::system::{ProcessOf, Simulated, System, violated};
