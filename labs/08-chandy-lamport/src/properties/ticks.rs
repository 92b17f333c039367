//! The application of each process sends one message a tick, in order, to one of the others at random.
//!
//! Each message carries the number that its sender gave it: 1, 2, 3 and so on over all receivers. It leaves in the step
//! of its tick; if the process is blocked then, in the step in which it goes on. So what was held back leaves, all of it,
//! once, and in its order. A process ticks as often as the options say, and not after it has recorded the last wave; that it
//! goes on to tick is judged in simulations alone, for elsewhere a timer may take any time.
//!
//! That receivers are random is judged where chance explains nothing else: a process to which nobody sends, or that is
//! the only one to which another sends, is met in less than one of 10^12 right runs.
//!
//! What a process does in one step is looked at when its next step begins, or when the run ends.

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::is_of_application;
use crate::bank::Transfer;
use crate::counter::Count;
use crate::snapshot::{Indication, Message, Protocol, Worth};
use crate::work::Message as Sent;

/// What processes have to send.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Sending {
    /// How a wave is recorded.
    pub protocol: Protocol,
    /// How many waves there are.
    pub waves: u64,
    /// How many messages each process sends at most.
    pub messages: Vec<u64>,
    /// Whether a process ticks at least once between two of its waves: in a simulation, where timers run out in their
    /// order, and an initiator waits longer before a wave than before a message.
    pub ticks_between_waves: bool,
    /// Whether the first message of each process is its first of all, and not one after a restored wave.
    pub from_the_start: bool,
}

/// Watches what the applications send, and when.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Ticks {
    sending: Sending,
    processes: Vec<One>,
    /// How many messages were sent to each process.
    received: Vec<u64>,
    sent: u64,
}

/// One process.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct One {
    ticks: u64,
    /// How many messages it has not sent of those of its ticks.
    due: i64,
    /// The number of its last message.
    number: Option<u64>,
    /// How many messages it has sent, and to whom, if that is one alone.
    sent: u64,
    only: Option<ProcessId>,
    /// How many waves it is recording, and has recorded.
    recording: i64,
    recorded: u64,
    /// The last wave that it started by its timer, if it has not ticked since.
    started: Option<Witness>,
    /// Its last tick, or the moment at which it went on, if that is in the step that it is in.
    at: Option<Witness>,
}

/// A right run shows something as unlikely as one of 2 to the power of this, or of e to the power of the second.
const UNLIKELY: (u64, u64) = (40, 28);

impl Ticks {
    /// Watches processes that have this to send.
    pub fn new(sending: Sending) -> Self {
        let n = sending.messages.len();
        Self { sending, processes: vec![One::default(); n], received: vec![0; n], sent: 0 }
    }

    fn is_blocked(&self, one: &One) -> bool {
        self.sending.protocol == Protocol::Blocking && one.recording > 0
    }

    /// A new step of a process begins: it has sent what it had to.
    fn end_step(&mut self, process: ProcessId) -> Check {
        self.judge_step(process)?;
        self.processes[process.index()].at = None;
        Ok(())
    }

    fn judge_step(&self, process: ProcessId) -> Check {
        let one = &self.processes[process.index()];
        let Some(at) = one.at.filter(|_| one.due > 0 && !self.is_blocked(one)) else {
            return Ok(());
        };
        let what =
            format!("{process} has {} to send, and does not", counted(one.due as u64, "message"));
        Violation::check(what, [at])
    }

    fn tick(&mut self, at: Witness) -> Check {
        let (waves, process) = (self.sending.waves, at.process);
        let messages = self.sending.messages[process.index()];
        let one = &mut self.processes[process.index()];
        // After the last wave the application sleeps.
        if one.recorded >= waves {
            return Ok(());
        }
        one.ticks += 1;
        one.due += 1;
        one.started = None;
        one.at = Some(at);
        if one.ticks > messages {
            let what = format!("{process} ticks once more than {}", counted(messages, "time"));
            return Violation::check(what, [at]);
        }
        Ok(())
    }

    /// The timer of a process runs out that starts its waves.
    fn start(&mut self, at: Witness) -> Check {
        if !self.sending.ticks_between_waves {
            return Ok(());
        }
        let process = at.process;
        let messages = self.sending.messages[process.index()];
        let one = &mut self.processes[process.index()];
        let before = one.started.replace(at);
        match before.filter(|_| one.ticks < messages) {
            None => Ok(()),
            Some(before) => {
                let what = format!("{process} does not tick between two of its waves");
                Violation::check(what, [before, at])
            }
        }
    }

    /// A message leaves, with this number.
    fn send(&mut self, from: Witness, to: ProcessId, number: u64) -> Check {
        let process = from.process;
        if to == process {
            return Violation::check(format!("{process} sends itself a message"), [from]);
        }
        self.sent += 1;
        self.received[to.index()] += 1;
        let one = &mut self.processes[process.index()];
        let first = if self.sending.from_the_start { 1 } else { number };
        let expected = one.number.map_or(first, |number| number.saturating_add(1));
        one.number = Some(number);
        one.only = if one.sent == 0 || one.only == Some(to) { Some(to) } else { None };
        one.sent += 1;
        // What was held back in a wave that is restored was due before.
        one.due -= i64::from(self.sending.from_the_start || one.ticks > 0);
        if number != expected {
            let what = format!("message {number} of {process} leaves, and {expected} is the next");
            return Violation::check(what, [from]);
        }
        if one.due < 0 {
            return Violation::check(
                format!("{process} sends {to} a message without a tick"),
                [from],
            );
        }
        Ok(())
    }

    /// Whether chance explains to whom the processes have sent.
    fn judge_receivers(&self) -> Check {
        let others = self.processes.len().saturating_sub(1) as u64;
        let all = || (0..).map(ProcessId).zip(&self.processes);
        let forgotten = all().zip(&self.received).find(|((_, one), received)| {
            **received == 0 && self.sent - one.sent >= UNLIKELY.1 * others
        });
        if let Some(((process, _), _)) = forgotten {
            return Violation::check(format!("nobody sends {process} a message"), []);
        }
        let one_alone = all().find_map(|(process, one)| {
            let halvings = one.sent.saturating_sub(1) * u64::from(others.checked_ilog2()?);
            one.only.filter(|_| halvings >= UNLIKELY.0).map(|only| (process, only, one.sent))
        });
        match one_alone {
            None => Ok(()),
            Some((process, only, sent)) => {
                Violation::check(format!("{process} sends all its {sent} messages to {only}"), [])
            }
        }
    }
}

/// The number that a message of the application has.
fn number(message: &dyn Noted) -> Option<u64> {
    match message.get::<Message<Sent>>().as_deref() {
        Ok(Message::Application(Sent::Transfer(Transfer { count, .. }))) => Some(*count),
        Ok(Message::Application(Sent::Count(Count(count)))) => Some(*count),
        _ => None,
    }
}

impl<A: Worth<Message = Sent>> Watch<Indication<A>> for Ticks {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if is_of_application(message)
            && let Some(number) = number(message)
        {
            self.send(from, to, number)?;
        }
        Ok(0)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        let one = &mut self.processes[at.process.index()];
        match indication {
            Indication::Cut(_) => one.recording += 1,
            Indication::Recorded(_) => {
                one.recording -= 1;
                one.recorded += 1;
                one.at = Some(at);
            }
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            // A process may die in the middle of its step.
            Happening::Crash => {
                self.processes[at.process.index()].at = None;
                Ok(())
            }
            Happening::Timeout(timer) => {
                self.end_step(at.process)?;
                match &*timer.text() {
                    TICK => self.tick(at),
                    WAVE => self.start(at),
                    _ => Ok(()),
                }
            }
            _ => self.end_step(at.process),
        }
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn reads(&self, kind: &str) -> bool {
        ["Cut", "Recorded"].contains(&kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let everyone = (0..self.processes.len() as u32).map(ProcessId);
        let wrong = everyone.map(|process| self.judge_step(process)).find_map(Result::err);
        match wrong.or_else(|| self.judge_receivers().err()) {
            Some(violation) => Judgement::Violated(violation),
            None => Judgement::Holds(format!("{}, one a tick", counted(self.sent, "message"))),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sent > 0
    }

    /// To whom messages were sent matters where there are many, and `check` has few.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.sent = self.sent.min(1);
        self.received.fill(0);
        for process in 0..self.processes.len() as u32 {
            let is_right = self.judge_step(ProcessId(process)).is_ok();
            let one = &mut self.processes[process as usize];
            one.sent = 0;
            one.only = None;
            if is_right {
                one.at = None;
            }
        }
    }
}

/// The timer of the application, as it is told.
pub(super) const TICK: &str = "Application(Tick)";

/// The timer that starts waves, as it is told.
pub(super) const WAVE: &str = "Wave";
