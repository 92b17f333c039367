//! A room of lab machines on one machine, for tests that need several.
//!
//! Its machines are made by `testbed.sh` from Linux namespaces; each has its own address, host name,
//! `/tmp`, homes, processes and OpenSSH server (see README.md). This crate puts a handle on such a room:
//!
//! * [`Room`]: the machines, their disks, their faults, and the processes on them;
//! * [`Launcher`]: a `token-ring run` on the hub of the room, and its [`Outcome`];
//! * [`program`]: the program itself, built as the tests are;
//! * [`Trace`] and [`shared_file`]: readers of what a run leaves that share no code with the labs, so
//!   that a mistake there is not repeated here;
//! * [`Browser`]: a headless one, to look at the pages of `labs view`;
//! * [`tests_main`]: the main function of a test file. The tests need root, so they run if the
//!   environment has `TESTBED=1`, and count as ignored otherwise. With it, no test is left out: where
//!   no room can be made, all fail.
//!
//! A room lives as long as its handle. Should the test be killed, the script that holds the room sees the
//! end of its input and takes everything down.
//!
//! Everything here is for tests, and panics with what was wrong.

#![forbid(unsafe_code)]

mod browser;
mod launcher;
pub mod program;
mod room;
pub mod shared_file;
mod trace;
mod wait;

use libtest_mimic::{Arguments, Trial};

pub use browser::{Browser, Key};
pub use launcher::{Launcher, Outcome};
pub use room::{Found, Room};
pub use trace::Trace;
pub use wait::wait_until;

/// The environment variable that turns the tests on.
pub const ENABLE: &str = "TESTBED";

/// One test: its name, and what it does, which panics if something is wrong.
pub type Test = (&'static str, fn());

/// Names functions as [`Test`]s.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn())),*] };
}

/// The main function of a test file: runs the tests one after the other, for they measure time, and
/// exits.
pub fn tests_main(tests: &[Test]) -> ! {
    let enabled = std::env::var_os(ENABLE).is_some_and(|value| value == "1");
    if !enabled {
        eprintln!(
            "these tests need root and are ignored; to run them: {ENABLE}=1 cargo test -p testbed"
        );
    }
    let trial = |&(name, run): &Test| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
        .with_ignored_flag(!enabled)
    };
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, tests.iter().map(trial).collect()).exit()
}
