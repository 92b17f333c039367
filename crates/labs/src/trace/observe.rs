//! Watching a run from outside: what a driver tells of it.
//!
//! A driver tells its [`Observer`] everything that happens, and lets each message carry something
//! on the observer's behalf. The observer `()` costs nothing.

use super::note::Noted;
use crate::process::ProcessId;

/// What happened to one process, apart from messages.
#[derive(Clone, Copy)]
pub enum Happening<'a> {
    /// The process started.
    Init,
    /// The application asked for something.
    Request(&'a dyn Noted),
    /// The process told the application something.
    Indication(&'a dyn Noted),
    /// A timer ran out.
    Timeout(&'a dyn Noted),
    /// The process died.
    Crash,
    /// The process started again.
    Recover,
    /// The process ended because the run did, and how that ended, where it is known.
    Stop(Option<&'a dyn Noted>),
}

/// What a network does to messages that arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mishap {
    /// One arrives twice.
    Doubled,
    /// One overtakes another on its channel.
    Overtaken,
}

/// A message at its sending, its receipt or its loss.
#[derive(Clone, Copy)]
pub struct Passing<'a> {
    /// When, in microseconds since the start of the run.
    pub at_us: u64,
    /// The sender.
    pub from: ProcessId,
    /// The receiver.
    pub to: ProcessId,
    /// What it says.
    pub message: &'a dyn Noted,
    /// The size of its encoding, in bytes; 0 where nobody measured it.
    pub bytes: u32,
}

/// Watches a run.
///
/// The driver calls it in an order that respects causality: a receipt after its sending, the events
/// of one process one after the other. Times are microseconds since the start of the run.
pub trait Observer {
    /// What each message carries on the observer's behalf.
    type Carried: Clone;

    /// A message is sent.
    fn on_send(&mut self, message: Passing<'_>) -> Self::Carried;

    /// A message that was sent before arrives.
    fn on_receive(&mut self, message: Passing<'_>, carried: &Self::Carried);

    /// The network lost a message that was sent before.
    fn on_drop(&mut self, message: Passing<'_>, carried: &Self::Carried);

    /// The network does something to messages that will arrive. Told before they do.
    fn on_mishap(&mut self, mishap: Mishap) {
        let _ = mishap;
    }

    /// Something else happened to a process.
    fn on_happening(&mut self, at_us: u64, process: ProcessId, happening: Happening<'_>);
}

impl Observer for () {
    type Carried = ();

    fn on_send(&mut self, _: Passing<'_>) {}

    fn on_receive(&mut self, _: Passing<'_>, (): &()) {}

    fn on_drop(&mut self, _: Passing<'_>, (): &()) {}

    fn on_happening(&mut self, _: u64, _: ProcessId, _: Happening<'_>) {}
}
