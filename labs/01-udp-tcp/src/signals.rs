//! SIGINT (Ctrl-C) and SIGTERM as events of the loop, so that a server ends between two steps and
//! never in the middle of one.

use std::io;

use mio::{Interest, Registry, Token};
use netkit::Signal;
use netkit::signals::not_ignored;
use signal_hook_mio::v1_0::Signals;

/// Watches both signals, from now on. They no longer end the process. One that the program was
/// started with ignored stays ignored.
///
/// # Errors
///
/// If the system refuses.
pub(crate) fn watch(registry: &Registry, token: Token) -> io::Result<Signals> {
    let wanted = not_ignored(&[Signal::SIGINT as i32, Signal::SIGTERM as i32]);
    let mut signals = Signals::new(wanted)?;
    registry.register(&mut signals, token, Interest::READABLE)?;
    Ok(signals)
}

/// The name of the first signal that has come.
pub(crate) fn pending(signals: &mut Signals) -> Option<&'static str> {
    let number = signals.pending().next()?;
    Some(Signal::try_from(number).map_or("a signal", Signal::as_str))
}
