//! Golden scripts: a run told step by step, with everything that each step leads to.
//!
//! A script is a text file of blocks: commands, a line `---`, and what they led to, in the notation of
//! [`crate::trace::notation`]. A person writes the commands; the program writes the rest, and a test fails
//! where it would write anything else. (The format is that of `goldenscript`, which also tells how to
//! silence a command or to expect that it fails.)
//!
//! ```text
//! # Who asks while another is inside waits.
//! start 2
//! request p0 Enter
//! run
//! ---
//! p0 starts
//! p1 starts
//! p0 ? Enter
//! p0 ↗ p1 Ask
//! p0 → p1 Ask
//! p1 ↗ p0 Agree
//! p1 → p0 Agree
//! p0 ! Entered
//! ```
//!
//! | command | what happens |
//! |---|---|
//! | `start 3 key=value` | so many processes start; the pairs are the lab's own |
//! | `request p0 Enter` | the application asks; what stands there is the `Debug` form, in quotes where it has signs other than letters and digits |
//! | `deliver p0 p1` | the oldest message of p0 to p1 arrives; `deliver p0 p1 2` the second |
//! | `double p0 p1` | the same, and a copy stays under way |
//! | `lose p0 p1` | the network loses it |
//! | `timeout p1 Retry` | the timer runs out, however long it was set for; its name may be left out where p1 has one timer |
//! | `crash p1` | p1 dies; what is under way to it is lost |
//! | `run` | all messages arrive, in the order of sending, until none is left |
//! | `choose 1 0` | what the next handler will choose; 0 where nothing is said |
//! | `show`, `show p1` | what processes are made of, which timers run, what is under way |
//! | `verdicts` | what became of the properties |
//!
//! A counterexample of the checker and a run of the simulator can be written down as a script by
//! a [`Scribe`]: a failing seed becomes a script, whose first lines tell its story.
//!
//! A script has no clock: [`Context::now`](crate::process::Context::now) panics, as in the checker.

#[cfg(feature = "script")]
mod golden;
mod scribe;
#[cfg(feature = "script")]
mod stage;
#[cfg(all(test, feature = "script"))]
mod tests;

#[cfg(feature = "script")]
pub use self::golden::{Cast, Opening, run_dir};
pub use self::scribe::Scribe;
