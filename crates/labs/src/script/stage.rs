//! The processes of a script, and everything that is seen of them.

use crate::check::Options;
use crate::check::model::Model;
use crate::check::state::{Envelope, Site, State};
use crate::check::steps::Step;
use crate::process::{Choices, Process, ProcessId};
use crate::trace::{
    Happening, MessageId, MessageNote, Mishap, Observer, Passing, TraceEvent, What,
};
use crate::verdict::{End, Judge, Property, Tags, Verdict, Witness};

/// The most messages that one `run` lets arrive: an algorithm that never comes to rest is told so.
const RUN_MAX: usize = 10_000;

/// The processes of a script.
pub(super) struct Stage<P: Process> {
    model: Model<P>,
    state: State<P, Carried>,
    log: Log,
    /// What the next handler will choose.
    choices: Vec<usize>,
}

impl<P: Process> Stage<P> {
    /// Starts the processes.
    pub(super) fn new(processes: Vec<P>, properties: &[Property]) -> Self {
        let n = processes.len() as u32;
        let model = Model::new(processes, Vec::new(), &[], Options::default().into());
        let log = Log { judge: Judge::new(properties, n), sent: 0, lines: Vec::new() };
        let mut stage = Self { state: model.before(), model, log, choices: Vec::new() };
        for rank in 0..n {
            let process = ProcessId(rank);
            // Processes start in order; nothing can go wrong here but a panic, which the next step tells.
            stage.happen(&Step::Start { process, choices: Vec::new() });
        }
        stage
    }

    pub(super) fn choose(&mut self, choices: Vec<usize>) {
        self.choices = choices;
    }

    pub(super) fn request(
        &mut self,
        process: ProcessId,
        request: P::Request,
    ) -> Result<(), String> {
        self.alive(process)?;
        self.happen(&Step::Request { process, request, choices: Vec::new() });
        Ok(())
    }

    /// Lets the message at `place` on its channel, counted from 1, arrive.
    pub(super) fn deliver(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        place: usize,
    ) -> Result<(), String> {
        let (index, message) = self.under_way(from, to, place)?;
        if place > 1 {
            self.log.judge.on_mishap(Mishap::Overtaken);
        }
        self.happen(&Step::Deliver { index, from, to, message, choices: Vec::new() });
        Ok(())
    }

    /// As [`deliver`](Self::deliver), and a copy stays under way.
    pub(super) fn double(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        place: usize,
    ) -> Result<(), String> {
        let (index, message) = self.under_way(from, to, place)?;
        self.log.judge.on_mishap(Mishap::Doubled);
        self.happen(&Step::Double { index, from, to, message, choices: Vec::new() });
        Ok(())
    }

    /// Loses the message at `place` on its channel, counted from 1.
    pub(super) fn lose(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        place: usize,
    ) -> Result<(), String> {
        let (index, message) = self.under_way(from, to, place)?;
        self.happen(&Step::Lose { index, from, to, message });
        Ok(())
    }

    /// Lets a timer run out: that of this name, or the only one.
    pub(super) fn time_out(
        &mut self,
        process: ProcessId,
        name: Option<&str>,
    ) -> Result<(), String> {
        let Site { timers, .. } = self.alive(process)?;
        let timer = match (name, timers.as_slice()) {
            (_, []) => return Err(format!("no timer of {process} runs")),
            (None, [timer]) => timer,
            (None, timers) => return Err(format!("{process} has the timers {timers:?}: name one")),
            (Some(name), timers) => timers
                .iter()
                .find(|timer| format!("{timer:?}") == name)
                .ok_or_else(|| format!("{process} has the timers {timers:?}, and no {name}"))?,
        };
        let timer = timer.clone();
        self.happen(&Step::Timeout { process, timer, choices: Vec::new() });
        Ok(())
    }

    pub(super) fn crash(&mut self, process: ProcessId) -> Result<(), String> {
        self.alive(process)?;
        self.happen(&Step::Crash { process });
        Ok(())
    }

    /// Lets all messages arrive, the oldest first, until none is left.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for _ in 0..RUN_MAX {
            let messages = self.state.messages.iter();
            let oldest = messages.min_by_key(|envelope| envelope.carried.order);
            let Some((from, to)) = oldest.map(Envelope::channel) else { return Ok(()) };
            self.deliver(from, to, 1)?;
        }
        Err(format!("the processes still send after {RUN_MAX} messages"))
    }

    /// What a process is made of, or all of them and what is under way.
    pub(super) fn show(&self, process: Option<ProcessId>) -> Result<String, String> {
        let mut lines = Vec::new();
        for (rank, site) in (0..).zip(&self.state.sites) {
            let me = ProcessId(rank);
            if process.is_some_and(|process| process != me) {
                continue;
            }
            if site.crashed {
                lines.push(format!("{me} is down"));
                continue;
            }
            lines.push(format!("{me} {:?}", site.process));
            if !site.timers.is_empty() {
                lines.push(format!("{me} waits for {:?}", site.timers));
            }
        }
        if let Some(process) = process {
            self.site(process)?;
        } else {
            let messages = self.state.messages.iter();
            lines.extend(
                messages.map(|e| format!("{} ↗ {} {:?}, under way", e.from, e.to, e.message)),
            );
        }
        Ok(lines.join("\n"))
    }

    /// What became of the properties, if the run ends here or is cut short here.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        let timers = self.state.sites.iter().any(|site| !site.timers.is_empty());
        let end = if timers || !self.state.messages.is_empty() {
            End::CutShort("the script goes on".to_owned())
        } else {
            End::Complete
        };
        self.log.judge.verdicts(&end)
    }

    /// What was seen since the last call, one event a line.
    pub(super) fn seen(&mut self) -> String {
        let mut lines = std::mem::take(&mut self.log.lines);
        if let Some(panic) = self.state.panic.take() {
            lines.push(format!("{panic}"));
        }
        lines.join("\n")
    }

    fn happen(&mut self, step: &Step<P>) {
        let mut choices = Choices::repeating(&std::mem::take(&mut self.choices));
        self.model.happen(&mut self.state, step, &mut choices, 0, &mut self.log);
    }

    fn site(&self, process: ProcessId) -> Result<&Site<P>, String> {
        let n = self.state.sites.len();
        let site = self.state.sites.get(process.index());
        site.map(|site| &**site).ok_or_else(|| format!("{process} is not one of the {n} processes"))
    }

    fn alive(&self, process: ProcessId) -> Result<&Site<P>, String> {
        let site = self.site(process)?;
        if site.crashed { Err(format!("{process} is down")) } else { Ok(site) }
    }

    fn under_way(
        &self,
        from: ProcessId,
        to: ProcessId,
        place: usize,
    ) -> Result<(u32, P::Message), String> {
        let all = (0_u32..).zip(&self.state.messages);
        let mut channel = all.filter(|(_, envelope)| envelope.channel() == (from, to));
        let found = place.checked_sub(1).and_then(|ahead| channel.nth(ahead));
        let (index, envelope) =
            found.ok_or_else(|| format!("from {from} to {to}, no message {place} is under way"))?;
        Ok((index, envelope.message.clone()))
    }
}

/// Writes down what happens, and has it judged.
struct Log {
    judge: Judge,
    sent: u64,
    lines: Vec<String>,
}

/// What each message carries for the log.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    /// Its place among all that were sent.
    order: u64,
    tags: Tags,
}

impl Log {
    fn write(&mut self, process: ProcessId, what: What) {
        let event = TraceEvent { process, n: 0, clock: None, lamport: 0, at_us: 0, what };
        self.lines.push(event.to_string());
    }
}

/// An event of a process: nobody counts them here.
fn uncounted(process: ProcessId) -> Witness {
    Witness { process, n: 0 }
}

fn note(message: Passing<'_>) -> MessageNote {
    MessageNote::new(MessageId::default(), message.message, 0)
}

impl Observer for Log {
    type Carried = Carried;

    fn on_send(&mut self, message: Passing<'_>) -> Carried {
        let Passing { from, to, .. } = message;
        self.sent += 1;
        self.write(from, What::Send { peer: to, message: note(message) });
        let tags = self.judge.on_send(uncounted(from), to, message.message);
        Carried { order: self.sent, tags }
    }

    fn on_receive(&mut self, message: Passing<'_>, carried: &Carried) {
        let Passing { from, to, .. } = message;
        self.judge.on_receive(from, uncounted(to), message.message, carried.tags);
        self.write(to, What::Receive { peer: from, message: note(message) });
    }

    fn on_drop(&mut self, message: Passing<'_>, carried: &Carried) {
        let Passing { from, to, .. } = message;
        self.judge.on_drop(uncounted(from), to, message.message, carried.tags);
        self.write(from, What::Drop { peer: to, message: note(message) });
    }

    fn on_happening(&mut self, _: u64, process: ProcessId, happening: Happening<'_>) {
        self.judge.on_event(uncounted(process), happening);
        self.write(process, What::of(happening));
    }
}
