//! What a run is told beforehand, and what it says afterwards.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use netkit::hosts::{Host, Hosts};
use netkit::launch::LaunchOptions;
use netkit::run_id::RunId;

use super::config::MadeOf;
use crate::faults;
use crate::lab::{Launch, Participant};
use crate::overlay::Overlay;
use crate::process::ProcessId;
use crate::trace::{Header, TraceEvent};

/// Everything that a run needs to know.
pub struct Plan {
    /// Which run of which lab it is, and what is demanded of it.
    pub header: Header,
    /// The name of the run.
    pub run: RunId,
    /// What each participant is made of.
    pub made_of: MadeOf,
    /// Where the participants are.
    pub room: Room,
    /// How they are connected.
    pub overlay: Overlay,
    /// The plan of what goes wrong.
    pub faults: faults::Plan,
    /// Whether the others go on when a participant dies or falls silent. Then neighbours do not watch
    /// each other.
    pub survives_crashes: bool,
    /// Who is shown the run.
    pub watched: Watched,
    /// Where to write the trace, if anywhere.
    pub trace: Option<PathBuf>,
    /// How long the run may take, launching apart.
    pub timeout: Duration,
    /// Whether to leave the participants there when they have finished, until a signal comes.
    pub stay: bool,
    /// Whether the folders of old runs stay, too.
    pub keep: bool,
}

/// The machines of a run, and the ways to them.
pub struct Room {
    /// The machines that it takes place on.
    pub hosts: Hosts,
    /// How to reach them.
    pub launch: LaunchOptions,
    /// How the participants are started.
    pub mode: Launch,
    /// The address at which participants find the launcher, if it is not to be found out.
    pub advertise: Option<IpAddr>,
    /// The largest body of a frame, in bytes.
    pub max_frame: usize,
}

/// Who is shown a run while it goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Watched {
    /// Nobody: its events are read when it has ended.
    No,
    /// The terminal follows its events.
    Terminal,
    /// A page follows its events and what is logged. The program goes on after the run, until a signal
    /// that it catches itself.
    Page,
}

impl Plan {
    /// Whether participants keep their journals on disk, so that they survive `kill -9`.
    pub(super) fn journals_on_disk(&self) -> bool {
        self.trace.is_some() || self.survives_crashes || self.faults.kills() || self.follows()
    }

    /// Whether somebody follows the events while the run goes on.
    pub(super) fn follows(&self) -> bool {
        self.watched != Watched::No
    }

    /// Whether there is a page, which shows what is logged, too, and stays after the run.
    pub(super) fn has_page(&self) -> bool {
        self.watched == Watched::Page
    }

    /// How many participants there are.
    pub(super) fn processes(&self) -> u32 {
        self.header.identity.processes
    }

    /// Whether neighbours watch each other: not where silence is expected.
    pub(super) fn watches(&self) -> bool {
        !self.survives_crashes && !self.faults.stops_any()
    }
}

/// A run that has ended, and been judged.
pub struct Finished {
    /// The participants, by rank.
    pub participants: Vec<Participant>,
    /// From the start of the algorithm to its end.
    pub elapsed: Duration,
    /// Why it did not come to its end, if it did not.
    pub problems: Vec<String>,
    /// The judge, for its counts of messages.
    pub judge: crate::verdict::Judge,
    /// What became of each property.
    pub verdicts: Vec<crate::verdict::Verdict>,
    /// Whether the algorithm began at all.
    pub began: bool,
    /// Events are missing, so that not everything was seen.
    pub has_gaps: bool,
    /// What was killed at the end because it could not end by itself.
    pub killed: Vec<String>,
    /// How many times each rule of the plan of faults struck.
    pub toll: faults::Toll,
    /// A line for each participant that died while the others went on.
    pub deaths: Vec<String>,
}

/// What a run is shown to while it goes on.
pub trait Audience {
    /// What the launcher is doing, in a few words.
    fn progress(&mut self, message: &str);

    /// The algorithm starts on these processes.
    fn on_start(&mut self, participants: &[Participant]) {
        let _ = participants;
    }

    /// Whether it wants to hear of each event. Then [`on_event`](Self::on_event) is called.
    fn follows(&self) -> bool {
        false
    }

    /// An event happened. The events of one process come in order, those of several as they arrive.
    fn on_event(&mut self, event: &TraceEvent) {
        let _ = event;
    }

    /// A participant logged these lines. Only called if the run is [`Watched`] on a page.
    fn on_log(&mut self, process: ProcessId, lines: &str) {
        let _ = (process, lines);
    }

    /// All events that have arrived so far were told: time to show them.
    fn refresh(&mut self) {}
}

/// A machine as reports name it: as the host file does, its slots apart.
pub fn host_label(host: &Host) -> String {
    Host { slots: 1, ..host.clone() }.to_string()
}
