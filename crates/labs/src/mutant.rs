//! Mistakes that a person might make in an algorithm, and processes that make them.
//!
//! A property that no mistake breaks says nothing. So each lab brings mistakes beside its algorithm. A
//! [`Mistake`] stands between a process and its events: it hands most of them on as they are
//! ([`Event::happen_to`](crate::process::Event::happen_to)), and leaves some out, changes them or adds
//! to what the process does. As a child module of the algorithm it sees what is private there.
//!
//! The three worlds know one type of process: a [`Mutant`], which makes one mistake or none. Without a
//! mistake it costs one comparison a step.

use std::fmt::{self, Debug};

use crate::process::{Context, Event, EventOf, Process, ProcessId, Value};

/// A mistake in an algorithm, which a property must notice. Its name is that of its variant: so it is
/// typed, and so it stands in a trace.
pub trait Mistake<P: Process>: Value + clap::ValueEnum {
    /// Lets an event happen to a process as one would that makes the mistake.
    fn happen(&mut self, process: &mut P, ctx: &mut Context<P>, event: EventOf<P>);

    /// Whether it shows only where a process dies and starts again. Without that nothing would be
    /// noticed, so the command line refuses it.
    fn needs_restart(&self) -> bool {
        false
    }

    /// The options without which it does not show: each world adds them to its command line unless they
    /// are given, and says so.
    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

/// Words of a command line, an option and its value in turn (`["--loss", "0.2"]`), by world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Needs {
    /// For `simulate`.
    pub simulate: &'static [&'static str],
    /// For `check`.
    pub check: &'static [&'static str],
    /// For `run`.
    pub run: &'static [&'static str],
}

impl Needs {
    /// It shows with the usual options.
    pub const NOTHING: Self = Self { simulate: &[], check: &[], run: &[] };
}

/// The mistakes of an algorithm that has none.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum NoMistake {}

impl<P: Process> Mistake<P> for NoMistake {
    fn happen(&mut self, _: &mut P, _: &mut Context<P>, _: EventOf<P>) {
        match *self {}
    }
}

/// A process that makes a mistake, or none.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mutant<P, M> {
    process: P,
    mistake: Option<M>,
}

impl<P, M> Mutant<P, M> {
    /// A process that follows its algorithm, but for this mistake.
    pub fn new(process: P, mistake: Option<M>) -> Self {
        Self { process, mistake }
    }

    /// The process itself.
    pub fn process(&self) -> &P {
        &self.process
    }
}

/// A process that makes no mistake looks like itself, where states are shown.
impl<P: Debug, M: Debug> Debug for Mutant<P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, mistake } = self;
        match mistake {
            None => process.fmt(f),
            Some(mistake) => f.debug_tuple(&format!("{mistake:?}")).field(process).finish(),
        }
    }
}

impl<P: Process, M: Mistake<P>> Mutant<P, M> {
    fn happen(&mut self, ctx: &mut Context<Self>, event: EventOf<P>) {
        let Self { process, mistake } = self;
        ctx.alike(|ctx| match mistake {
            None => event.happen_to(process, ctx),
            Some(mistake) => mistake.happen(process, ctx, event),
        });
    }
}

impl<P: Process, M: Mistake<P>> Process for Mutant<P, M> {
    type Request = P::Request;
    type Indication = P::Indication;
    type Message = P::Message;
    type Timer = P::Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.happen(ctx, Event::Init);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: P::Request) {
        self.happen(ctx, Event::Request(request));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: P::Message) {
        self.happen(ctx, Event::Message { from, message });
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: P::Timer) {
        self.happen(ctx, Event::Timeout(timer));
    }

    fn recovered(&self) -> Option<Self> {
        let process = self.process.recovered()?;
        Some(Self { process, mistake: self.mistake.clone() })
    }
}

#[cfg(test)]
mod tests;
