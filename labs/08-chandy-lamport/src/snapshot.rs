//! Snapshots of a running system: a layer round any application.
//!
//! **The problem.** Nobody sees the state of a distributed system: while the states of its processes are
//! collected they change, and messages are under way. A global state is worth recording if the system
//! could have been in it: then it can go on from there.
//!
//! **The algorithm** ([`Protocol::ChandyLamport`]). After Chandy and Lamport, *Distributed snapshots:
//! determining global states of distributed systems*, ACM Transactions on Computer Systems 3(1), 1985. The
//! initiator records its state and sends a marker on each of its channels, before any other message. A
//! process that receives its first marker does the same, and the channel that brought it is recorded as empty. On each
//! other channel it records what arrives until that channel's marker does. When all markers are there, its
//! part is complete. Meanwhile the application goes on.
//!
//! **Why it is correct.** On a FIFO channel the marker divides what was sent before the sender's cut, where
//! it recorded its state, from what was sent after. What was sent after arrives behind the marker, and so
//! after the receiver's cut: no message crosses the cut from behind. What was sent before arrives before the
//! marker: either before the receiver's cut, and is part of its state, or between its cut and the marker,
//! and is recorded as in transit.
//!
//! **Blocking** ([`Protocol::Blocking`]). The coordinated checkpoint that stops the application, as in
//! Tamir and Séquin, *Error recovery in multicomputers using global checkpoints*, ICPP 1984; Koo and Toueg,
//! *Checkpointing and rollback-recovery for distributed systems*, IEEE TSE 13(1), 1987, stop only processes
//! that depend on each other. Between its cut and its last marker a process sends no message of its application:
//! what this wants to send is held back, and leaves when the part of the process is complete and stored.
//! What arrives meanwhile was sent before the sender's cut, so it is in transit and recorded, as above.
//! Nothing here needs the blocking for consistency, the markers see to that; what it buys is a system that
//! is at rest while it is stored.
//!
//! **Concurrent waves.** A marker names its [`Wave`], and each wave is recorded by itself. Messages that a
//! blocked process holds back are part of its state: in its application's past, and not yet on a channel.
//!
//! **The end.** Each process knows how many waves there will be. When its part of the last is complete, it
//! sends nothing for its application any more, and says so on each channel (CLOSE). Channels being FIFO,
//! a process that has that from all others has received everything that was sent to it.
//!
//! **Going on from a wave** ([`Snapshot::resuming`]). The process is given its recorded state. First it sends
//! what it held back, which is older than anything it will send; then it receives, in order, what was
//! recorded on its channels; then its application starts its timers. Only then comes what others send, for
//! that is newer than what was recorded of their channels.
//!
//! **Assumptions.** Channels are FIFO and reliable and deliver once, between each two processes; nobody
//! crashes while a wave is recorded (a process that does takes the wave with it, and the one before remains).
//!
//! **Cost.** N(N−1) markers a wave, whoever and however many initiate. Time: two hops. CLOSE: N(N−1), once.
//!
//! **Left out.** Messages of a process to itself. Graphs that are not complete (the paper needs only that each
//! process can be reached from the initiator). Channels that are not FIFO: Lai and Yang, 1987, colour
//! messages instead of sending markers.

mod mistake;
mod recording;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use labs::process::{Context, Effect, Kind, Process, ProcessId};
use serde::{Deserialize, Serialize};

pub use self::mistake::{Mistake, Slip};
pub use self::recording::{Part, Recorded, Recording};
use crate::wave::Wave;

/// An application that can be recorded: any process. It may say what of it is conserved.
pub trait Worth: Process {
    /// What of its state is conserved.
    fn worth(&self) -> u64 {
        0
    }

    /// What of its state can be known from the messages that it has sent and received: numbers that a trace keeps.
    fn facts(&self) -> Vec<u64> {
        Vec::new()
    }

    /// What of a message is conserved.
    fn worth_of(message: &Self::Message) -> u64 {
        let _ = message;
        0
    }
}

/// One process, with its application inside.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Snapshot<A: Worth> {
    application: A,
    protocol: Protocol,
    schedule: Schedule,
    /// How many waves this process has started.
    started: u32,
    /// The waves that are being recorded.
    recordings: BTreeMap<Wave, Recording<A>>,
    /// The waves of which the own part is complete.
    complete: BTreeSet<Wave>,
    /// Whether the application's messages are held back.
    is_blocked: bool,
    /// What is held back.
    held: Vec<(ProcessId, A::Message)>,
    /// Whether the last wave is over.
    is_closed: bool,
    /// The processes that said that they send nothing more.
    closed: BTreeSet<ProcessId>,
    /// What was recorded on each channel in the wave from which this process goes on.
    restored: Option<BTreeMap<ProcessId, Vec<A::Message>>>,
}

/// How a wave is recorded.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// While the application goes on.
    #[default]
    ChandyLamport,
    /// While no messages of the application are sent.
    Blocking,
}

/// When which waves are started.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Schedule {
    /// How many waves this process starts by itself.
    pub waves: u32,
    /// How long it waits before each.
    pub every: Duration,
    /// The number of its first wave.
    pub first: u32,
    /// How many waves there are, over all initiators: after them the processes close.
    pub total: u64,
}

/// What is asked of a process.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Request<R> {
    /// Start a wave.
    Snapshot,
    /// Something of the application.
    Application(R),
}

/// What a process tells.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(bound = "")]
pub enum Indication<A: Worth> {
    /// It goes on from a recorded state, and has received so many recorded messages.
    Restored(u64),
    /// A marker has reached it, of this wave. It says so first of all that it does about the marker.
    Marked(Wave),
    /// A wave cuts the process here: its state is recorded.
    Cut(Wave),
    /// Its part of a wave is complete. It is to be stored before the process goes on.
    Recorded(Part<A>),
    /// Its part of the wave is stored: what comes after waited for it.
    Stored(Wave),
    /// It was blocked, and the messages that were held back leave now.
    Resumed,
    /// Something of the application.
    Application(A::Indication),
    /// All waves are over, and everything that was sent to this process has arrived.
    Finished,
}

/// What processes send to each other.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Message<M> {
    /// Something of the application.
    Application(M),
    /// A wave passes: what came before on this channel was sent before the sender's cut.
    Marker(Wave),
    /// Nothing more comes on this channel.
    Close,
}

/// The timers of a process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer<T> {
    /// One of the application.
    Application(T),
    /// When to start the next wave.
    Wave,
}

impl<A: Worth> Snapshot<A> {
    /// A process round an application.
    pub fn new(application: A, protocol: Protocol, schedule: Schedule) -> Self {
        Self {
            application,
            protocol,
            schedule,
            started: 0,
            recordings: BTreeMap::new(),
            complete: BTreeSet::new(),
            is_blocked: false,
            held: Vec::new(),
            is_closed: false,
            closed: BTreeSet::new(),
            restored: None,
        }
    }

    /// The same process, going on from a wave: with what it held back, and what was in transit to it.
    #[must_use]
    pub fn resuming(
        mut self,
        held: Vec<(ProcessId, A::Message)>,
        channels: BTreeMap<ProcessId, Vec<A::Message>>,
    ) -> Self {
        self.held = held;
        self.restored = Some(channels);
        self
    }

    /// Goes on sending, if the process was blocked.
    fn resume(&mut self, ctx: &mut Context<Self>) {
        if self.is_blocked {
            self.is_blocked = false;
            ctx.indicate(Indication::Resumed);
            self.release(ctx);
        }
    }

    fn release(&mut self, ctx: &mut Context<Self>) {
        for (to, message) in std::mem::take(&mut self.held) {
            ctx.send(to, Message::Application(message));
        }
    }

    /// Starts a wave.
    fn start_wave(&mut self, ctx: &mut Context<Self>) {
        let number = self.schedule.first.saturating_add(self.started);
        self.started = self.started.saturating_add(1);
        let wave = Wave { number, initiator: ctx.me() };
        if self.is_expected(wave) {
            self.cut(ctx, wave);
        }
    }

    /// Whether a wave is one that this process has not seen, of those that there will be.
    fn is_expected(&self, wave: Wave) -> bool {
        let seen = (self.recordings.len() + self.complete.len()) as u64;
        let is_new = !self.recordings.contains_key(&wave) && !self.complete.contains(&wave);
        is_new && seen < self.schedule.total
    }

    /// Records the state, and sends the markers before anything else.
    fn cut(&mut self, ctx: &mut Context<Self>, wave: Wave) {
        let me = ctx.me();
        let others = ctx.everyone().filter(|&other| other != me);
        let (state, held) = (self.application.clone(), self.held.clone());
        let recording = Recording::new(wave, state, held, others);
        self.recordings.insert(wave, recording);
        self.is_blocked |= self.protocol == Protocol::Blocking;
        ctx.indicate(Indication::Cut(wave));
        ctx.send_to_others(Message::Marker(wave));
        self.complete(ctx, wave);
    }

    fn on_marker(&mut self, ctx: &mut Context<Self>, from: ProcessId, wave: Wave) {
        ctx.indicate(Indication::Marked(wave));
        if self.is_expected(wave) {
            self.cut(ctx, wave);
        }
        // A copy of a marker changes nothing.
        if self.recordings.get_mut(&wave).is_some_and(|recording| recording.mark(from)) {
            self.complete(ctx, wave);
        }
    }

    /// Ends the recording of a wave, if all its markers have arrived.
    fn complete(&mut self, ctx: &mut Context<Self>, wave: Wave) {
        if !self.recordings.get(&wave).is_some_and(Recording::is_complete) {
            return;
        }
        let Some(recording) = self.recordings.remove(&wave) else { return };
        self.complete.insert(wave);
        ctx.indicate(Indication::Recorded(recording.into()));
        ctx.indicate(Indication::Stored(wave));
        if self.recordings.is_empty() {
            self.resume(ctx);
        }
        if self.complete.len() as u64 == self.schedule.total {
            self.is_closed = true;
            ctx.send_to_others(Message::Close);
            self.finish(ctx);
        }
    }

    fn on_close(&mut self, ctx: &mut Context<Self>, from: ProcessId) {
        if self.closed.insert(from) {
            self.finish(ctx);
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        if self.is_closed && self.closed.len() + 1 == ctx.processes() as usize {
            ctx.indicate(Indication::Finished);
        }
    }

    fn on_application_message(
        &mut self,
        ctx: &mut Context<Self>,
        from: ProcessId,
        message: A::Message,
    ) {
        for recording in self.recordings.values_mut() {
            recording.record(from, &message);
        }
        self.inside(ctx, |application, ctx| application.on_message(ctx, from, message));
    }

    /// Lets an event happen to the application. What it sends goes out, or is held back.
    fn inside(&mut self, ctx: &mut Context<Self>, event: impl FnOnce(&mut A, &mut Context<A>)) {
        for effect in ctx.inside(|ctx| event(&mut self.application, ctx)) {
            match effect {
                Effect::Send { to, message } if self.is_blocked || self.is_closed => {
                    self.held.push((to, message));
                }
                Effect::Send { to, message } => ctx.send(to, Message::Application(message)),
                Effect::StartTimer { timer, after } => {
                    ctx.start_timer(Timer::Application(timer), after);
                }
                Effect::StopTimer { timer } => ctx.stop_timer(Timer::Application(timer)),
                Effect::Indicate(indication) => ctx.indicate(Indication::Application(indication)),
            }
        }
    }

    /// Goes on from a recorded state: what is older comes first.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        let Some(channels) = self.restored.take() else { return };
        self.release(ctx);
        let mut received = 0;
        for (from, messages) in channels {
            for message in messages {
                self.inside(ctx, |application, ctx| application.on_message(ctx, from, message));
                received += 1;
            }
        }
        ctx.indicate(Indication::Restored(received));
    }
}

impl<A: Worth> Process for Snapshot<A> {
    type Request = Request<A::Request>;
    type Indication = Indication<A>;
    type Message = Message<A::Message>;
    type Timer = Timer<A::Timer>;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.go_on(ctx);
        self.inside(ctx, A::on_init);
        if self.schedule.waves > 0 {
            ctx.start_timer(Timer::Wave, self.schedule.every);
        }
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request<A::Request>) {
        match request {
            Request::Snapshot => self.start_wave(ctx),
            Request::Application(request) => {
                self.inside(ctx, |application, ctx| application.on_request(ctx, request));
            }
        }
    }

    fn on_message(
        &mut self,
        ctx: &mut Context<Self>,
        from: ProcessId,
        message: Message<A::Message>,
    ) {
        match message {
            Message::Application(message) => self.on_application_message(ctx, from, message),
            Message::Marker(wave) => self.on_marker(ctx, from, wave),
            Message::Close => self.on_close(ctx, from),
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer<A::Timer>) {
        match timer {
            // After the last wave the application sleeps.
            Timer::Application(_) if self.is_closed => {}
            Timer::Application(timer) => {
                self.inside(ctx, |application, ctx| application.on_timeout(ctx, timer));
            }
            Timer::Wave => {
                self.start_wave(ctx);
                if self.started < self.schedule.waves {
                    ctx.start_timer(Timer::Wave, self.schedule.every);
                }
            }
        }
    }
}

impl<'a, R: Kind> From<&'a Request<R>> for &'static str {
    fn from(request: &'a Request<R>) -> Self {
        match request {
            Request::Snapshot => "Snapshot",
            Request::Application(request) => request.kind(),
        }
    }
}

impl<'a, A: Worth> From<&'a Indication<A>> for &'static str {
    fn from(indication: &'a Indication<A>) -> Self {
        match indication {
            Indication::Restored(_) => "Restored",
            Indication::Marked(_) => "Marked",
            Indication::Cut(_) => "Cut",
            Indication::Recorded(_) => "Recorded",
            Indication::Stored(_) => "Stored",
            Indication::Resumed => "Resumed",
            Indication::Application(indication) => indication.kind(),
            Indication::Finished => "Finished",
        }
    }
}

/// The kind of the message that a marker is.
pub const MARKER: &str = "MARKER";

/// The kind of the message that ends a channel.
pub const CLOSE: &str = "CLOSE";

impl<'a, M: Kind> From<&'a Message<M>> for &'static str {
    fn from(message: &'a Message<M>) -> Self {
        match message {
            Message::Application(message) => message.kind(),
            Message::Marker(_) => MARKER,
            Message::Close => CLOSE,
        }
    }
}
