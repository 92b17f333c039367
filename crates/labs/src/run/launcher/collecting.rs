//! Handing over: at the end each participant is asked for its journal, part by part.
//!
//! Who may stand still (SIGSTOP) is asked too, but continued only when the others are done: that it goes on for
//! the end of the run is no part of the run. While a run is followed, parts come all the time, and the same
//! functions take them.

use std::io::Write;
use std::time::Duration;

use log::debug;
use netkit::{Net, Signal};

use super::{Conductor, Loss, Member, Stage};
use crate::process::ProcessId;
use crate::run::participant::WATCH_INTERVAL;
use crate::run::strikes::Order;
use crate::run::wire::ToParticipant;
use crate::trace::format;

/// How long a journal may make no progress before the run is judged without it.
const COLLECT_MAX: Duration = Duration::from_secs(5);

/// The same after Ctrl-C, and before those are continued who may stand still.
const COLLECT_INTERRUPTED_MAX: Duration = Duration::from_secs(1);

/// A part of a journal.
pub(super) struct JournalPart {
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) is_last: bool,
    pub(super) truncated: bool,
}

impl Conductor<'_> {
    pub(super) fn collect(&mut self, net: &mut Net) {
        self.stage = Stage::Collecting;
        self.is_nudged = false;
        self.set_deadline(net, self.patience());
        for rank in 0..self.plan.processes {
            let process = ProcessId(rank);
            let may_be_silent = self.may_be_silent(process);
            let member = &mut self.members[process.index()];
            // Who failed, or was lost by its neighbours only, can still tell what it knows.
            let answers = member.loss.is_none_or(|loss| loss == Loss::Talks);
            member.is_asked = answers && member.connection.is_some();
            member.sleeps = may_be_silent && member.last_word.elapsed() > WATCH_INTERVAL * 2;
            if member.is_asked {
                let offset = self.members[process.index()].journal_length;
                self.tell(net, process, &ToParticipant::Collect { offset });
            }
        }
        self.check_collected(net);
    }

    /// Continues those who may stand still and of whom that is thought, so that they can tell what they
    /// know. Returns whether there was somebody.
    fn wake(&mut self, stands_still: impl Fn(&Member) -> bool) -> bool {
        let mut woken = false;
        for (rank, member) in (0..).zip(&self.members) {
            let may_stand_still = self.may_be_silent(ProcessId(rank)) && stands_still(member);
            if may_stand_still && member.connection.is_some() {
                let (host, process, pid) = (member.host, ProcessId(rank), member.pid());
                let order = Order { process, pid, signal: Signal::SIGCONT, rule: None };
                self.strikes.send(self.plan, host, order);
                woken = true;
            }
        }
        woken
    }

    /// Nobody has handed over anything for a while: perhaps they were stopped a moment before the end.
    pub(super) fn nudge(&mut self, net: &mut Net) -> bool {
        let nudged = !std::mem::replace(&mut self.is_nudged, true)
            && self.wake(|member| !member.owes_nothing());
        if nudged {
            self.set_deadline(net, self.patience());
        }
        nudged
    }

    pub(super) fn on_journal(&mut self, net: &mut Net, process: ProcessId, part: JournalPart) {
        let JournalPart { offset, bytes, is_last, truncated } = part;
        let is_wanted = matches!(self.stage, Stage::Running | Stage::Staying | Stage::Collecting);
        // What was under way when this part was asked for has brought it already.
        if !is_wanted || offset != self.members[process.index()].journal_length {
            return;
        }
        if let Err(error) = self.write_journal(process, &bytes) {
            self.problems.push(format!("the journal of {process} cannot be written: {error:#}"));
            return self.stop(net);
        }
        if self.plan.follow {
            self.show(process, &bytes);
        }
        let member = &mut self.members[process.index()];
        member.journal_length += bytes.len() as u64;
        member.is_collected = is_last;
        member.truncated = truncated;
        if self.stage != Stage::Collecting {
            return;
        }
        if is_last {
            // An open file each would be too many in a large run.
            member.journal_file = None;
        }
        let offset = member.journal_length;
        self.set_deadline(net, self.patience());
        if is_last {
            self.check_collected(net);
        } else {
            self.tell(net, process, &ToParticipant::Collect { offset });
        }
    }

    /// Tells the audience of the events in a part of a journal.
    fn show(&mut self, process: ProcessId, bytes: &[u8]) {
        let member = &mut self.members[process.index()];
        member.half_line.extend_from_slice(bytes);
        let Some(end) = member.half_line.iter().rposition(|&byte| byte == b'\n') else { return };
        let rest = member.half_line.split_off(end + 1);
        let lines = std::mem::replace(&mut member.half_line, rest);
        for event in lines.split_inclusive(|&byte| byte == b'\n').map(format::parse) {
            match event {
                Ok(event) => self.audience.on_event(&event),
                Err(error) => debug!("the journal of {process} is damaged: {error}"),
            }
        }
        self.audience.refresh();
    }

    fn write_journal(&mut self, process: ProcessId, bytes: &[u8]) -> anyhow::Result<()> {
        let member = &mut self.members[process.index()];
        let file = match &mut member.journal_file {
            Some(file) => file,
            none => {
                let name = format!("journal-{}", process.0);
                let file = self.folder.file(&name)?;
                member.journal = Some(self.folder.path().join(name));
                none.insert(file)
            }
        };
        Ok(file.write_all(bytes)?)
    }

    pub(super) fn check_collected(&mut self, net: &mut Net) {
        if self.stage != Stage::Collecting {
            return;
        }
        if self.members.iter().all(Member::owes_nothing) {
            return self.stop(net);
        }
        // Who stands still is continued only now: the others have handed over what they saw of the run, and
        // that someone goes on for its end is no part of it.
        let asleep = |member: &Member| member.sleeps && !member.owes_nothing();
        if self.members.iter().all(|member| member.owes_nothing() || asleep(member)) {
            self.wake(asleep);
            self.members.iter_mut().for_each(|member| member.sleeps = false);
        }
    }

    /// How long a journal may make no progress. Who pressed Ctrl-C does not want to wait, and who stands still
    /// will not move by itself.
    fn patience(&self) -> Duration {
        let may_stand_still = self.plan.survives_crashes || self.plan.faults.stops_any();
        match (self.interrupted, may_stand_still && !self.is_nudged) {
            (false, false) => COLLECT_MAX,
            _ => COLLECT_INTERRUPTED_MAX,
        }
    }
}
