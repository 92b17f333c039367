//! The signals that say that somebody wants a program to end: Ctrl-C, a plain `kill`, a terminal that is closed.
//!
//! What they do is the same everywhere. What they cut short says so in its report, and ends with status 2. A
//! program that only waits for them (a page that stays, a log that is followed) ends with the status that it has
//! come to: 0, if nothing was wrong.

use std::time::Duration;

use netkit::{CloseReason, ConnectionId, Net, Peer, Service, Signal};

/// The signals.
pub(super) const SIGNALS: [i32; 3] =
    [Signal::SIGINT as i32, Signal::SIGTERM as i32, Signal::SIGHUP as i32];

/// Catches such a signal. From when it is made on, one does not end the program by itself; the next after
/// it does. It must be made before a run with a page, which catches signals, too.
pub(crate) struct UntilSignal {
    net: Net,
    has_come: bool,
}

impl UntilSignal {
    /// Begins to catch signals.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut net = Net::new(netkit::Limits::default())?;
        net.watch_signals(&SIGNALS)?;
        Ok(Self { net, has_come: false })
    }

    /// Waits for one.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        let waited = self.net.run(&mut EndsAtSignal(false));
        self.let_go();
        Ok(waited?)
    }

    /// Whether one has come.
    pub(crate) fn has_come(&mut self) -> bool {
        if !self.has_come {
            let mut service = EndsAtSignal(false);
            // If the system refuses to look, the program ends as if none had come.
            let looked = self.net.turn(&mut service, Some(Duration::ZERO));
            self.has_come = looked.is_ok() && service.0;
            if self.has_come {
                self.let_go();
            }
        }
        self.has_come
    }

    /// From now on signals do what they usually do.
    fn let_go(&mut self) {
        let _ = self.net.unwatch_signals(&SIGNALS);
    }
}

/// A service that is interested in nothing else: whether a signal has come.
struct EndsAtSignal(bool);

impl Service for EndsAtSignal {
    fn on_open(&mut self, _: &mut Net, _: ConnectionId, _: &Peer) {}

    fn on_frame(&mut self, _: &mut Net, _: ConnectionId, _: &[u8]) {}

    fn on_close(&mut self, _: &mut Net, _: ConnectionId, _: CloseReason) {}

    fn on_signal(&mut self, net: &mut Net, _: i32) {
        self.0 = true;
        net.stop();
    }
}

/// From now on such a signal ends this program with status 0: it has nothing more to do than to wait for it.
///
/// # Errors
///
/// If the system refuses.
pub fn end_at_signal() -> anyhow::Result<()> {
    at_signal(|| std::process::exit(0))
}

/// From now on `then` happens at the first such signal, in a thread of its own; at the next, what usually
/// does.
///
/// # Errors
///
/// If the system refuses.
pub fn at_signal(then: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let (told, ready) = std::sync::mpsc::channel();
    let wait = move || {
        let until = UntilSignal::new();
        let caught = until.map(|until| {
            // The caller waits for it.
            let _ = told.send(());
            until.wait()
        });
        match caught {
            Ok(Ok(())) => then(),
            Ok(Err(error)) | Err(error) => log::warn!("signals end this program at once: {error}"),
        }
    };
    netkit::threads::spawn("signals", wait)?;
    // An error has been said.
    let _ = ready.recv();
    Ok(())
}
