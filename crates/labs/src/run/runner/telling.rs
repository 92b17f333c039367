//! What a participant hands over: its journal, its log, and how often the plan of faults struck it.

use std::time::Duration;

use log::debug;
use netkit::Net;

use super::participant::{Attendant, Use};
use crate::run::participant::News;
use crate::run::wire::{Part, ToLauncher};

/// How often the launcher is told what happened, if it follows the run: fast enough for the eye.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// How many parts of the log are handed over at the end of the run: a megabyte. More is in the
/// file.
const LOG_PARTS_AT_END: u32 = 16;

impl Attendant {
    pub(super) fn tell(&mut self, net: &mut Net, word: &ToLauncher) {
        if let Err(error) = net.send_value(self.control, word) {
            debug!("the launcher was not told {word:?}: {error}");
        }
    }

    /// Hands over the part of the journal from this byte on.
    pub(super) fn hand_over(&mut self, net: &mut Net, offset: u64) {
        let Some(algorithm) = &mut self.algorithm else { return };
        match algorithm.part(offset) {
            Ok(part) => self.tell(net, &ToLauncher::Journal(part)),
            Err(why) => self.hear(News::Failed(why)),
        }
    }

    /// Hands over what has happened since the last time.
    pub(super) fn follow(&mut self, net: &mut Net) {
        let Some(offset) = self.followed.offset.filter(|_| self.is_running()) else { return };
        self.show_log(net);
        match self.algorithm.as_mut().map(|algorithm| algorithm.part(offset)) {
            Some(Ok(part)) if !part.bytes.is_empty() => {
                self.followed.offset = Some(offset + part.bytes.len() as u64);
                self.tell(net, &ToLauncher::Journal(Part { is_last: false, ..part }));
            }
            Some(Err(why)) => return self.hear(News::Failed(why)),
            _ => {}
        }
        self.timers.start(net, Use::Follow, FOLLOW_INTERVAL);
    }

    /// Hands over what was logged since the last time, if somebody shows it.
    fn show_log(&mut self, net: &mut Net) {
        let lines = self.followed.log_tail.more();
        if !lines.is_empty() {
            self.tell(net, &ToLauncher::Log(lines));
        }
    }

    /// Hands over what is left of the log, or says that there is more.
    pub(super) fn show_rest_of_log(&mut self, net: &mut Net) {
        (0..LOG_PARTS_AT_END).for_each(|_| self.show_log(net));
        if !self.followed.log_tail.more().is_empty() {
            let more = "the page has no more of this log: `labs logs` has\n";
            self.tell(net, &ToLauncher::Log(more.to_owned()));
        }
    }

    /// Tells the launcher how many times the rules of the plan struck here, if that has changed.
    pub(super) fn tell_toll(&mut self, net: &mut Net) {
        let toll = self.algorithm.as_mut().and_then(|algorithm| algorithm.misfortune.news());
        if let Some(toll) = toll {
            self.tell(net, &ToLauncher::Toll(toll));
        }
    }
}
