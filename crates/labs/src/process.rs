//! Processes as state machines without I/O.
//!
//! A [`Process`] is one participant of a distributed algorithm, written as the textbook writes it:
//! a set of event handlers over local state. A handler opens no socket, reads no clock, draws no
//! random number and starts no thread. What it wants done it asks of its [`Context`], which only
//! records; [`step`] hands the record back as a list of [`Effect`]s. Three drivers carry the
//! effects out: over sockets ([`crate::run`]), in virtual time ([`crate::simulate`]), and over every
//! possible order ([`crate::check`]).
//!
//! The event vocabulary is that of Cachin, Guerraoui and Rodrigues, *Introduction to Reliable and
//! Secure Distributed Programming*, 2011, section 1.4; [`Process`] has the table.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::mem;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
/// Gives a value its [kind](trait@Kind), from the name of its variant.
pub use strum_macros::IntoStaticStr as Kind;

/// What processes are made of: plain data that can be copied, printed, compared and hashed.
///
/// The model checker needs all of it. `HashMap` and `f64` do not qualify, which is as well: their
/// order and their rounding would make runs differ. Use `BTreeMap` and integers.
pub trait Value: Clone + Debug + Hash + Ord + Send + Sync + 'static {}

impl<T: Clone + Debug + Hash + Ord + Send + Sync + 'static> Value for T {}

/// A value that processes hand to each other or to their application: a message, a request, an
/// indication. It is counted and drawn under a name, and a trace holds it as data.
///
/// The name comes with `#[derive(Kind)]` and never depends on the fields. Diagrams of
/// messages are read more easily in capitals:
///
/// ```
/// use labs::process::Kind;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
/// #[derive(Deserialize, Serialize, Kind)]
/// #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
/// enum Message {
///     Token { lap: u64 },
/// }
///
/// assert_eq!(Message::Token { lap: 3 }.kind(), "TOKEN");
/// ```
pub trait Kind: Value + Serialize + DeserializeOwned {
    /// The name under which reports count it and diagrams show it: `TOKEN` for a message, `Entered`
    /// for an indication.
    fn kind(&self) -> &'static str;
}

impl<T> Kind for T
where
    T: Value + Serialize + DeserializeOwned,
    for<'a> &'a T: Into<&'static str>,
{
    fn kind(&self) -> &'static str {
        self.into()
    }
}

/// The type of a message, request, indication or timer that never happens.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind,
)]
pub enum Never {}

/// One participant of a distributed algorithm.
///
/// | Cachin, Guerraoui, Rodrigues            | here                                |
/// |-----------------------------------------|-------------------------------------|
/// | upon event ⟨ _m_, Init ⟩                | [`on_init`](Self::on_init)          |
/// | upon event ⟨ _m_, Request \| ... ⟩      | [`on_request`](Self::on_request)    |
/// | upon event ⟨ _pl_, Deliver \| _p_, _m_ ⟩| [`on_message`](Self::on_message)    |
/// | upon event ⟨ Timeout ⟩                  | [`on_timeout`](Self::on_timeout)    |
/// | trigger ⟨ _pl_, Send \| _q_, _m_ ⟩      | [`Context::send`]                   |
/// | trigger ⟨ _m_, Indication \| ... ⟩      | [`Context::indicate`]               |
/// | starttimer(Δ)                           | [`Context::start_timer`]            |
///
/// Handlers run one at a time and to completion: each is one atomic step of the algorithm.
pub trait Process: Value {
    /// What the application asks of the process.
    type Request: Kind;
    /// What the process tells the application.
    type Indication: Kind;
    /// What processes send to each other.
    type Message: Kind;
    /// The names of the timers. Starting a timer that already runs restarts it.
    type Timer: Value;

    /// The system starts.
    fn on_init(&mut self, ctx: &mut Context<Self>) {
        let _ = ctx;
    }

    /// The application asks for something. Not heard unless the process says what it does then.
    fn on_request(&mut self, ctx: &mut Context<Self>, request: Self::Request) {
        let _ = (ctx, request);
    }

    /// A message arrives.
    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Self::Message);

    /// A timer runs out. Nothing happens unless the process says what it does then.
    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Self::Timer) {
        let _ = (ctx, timer);
    }

    /// The process that starts again where this one died: made of what it had handed to stable storage
    /// (Cachin, Guerraoui, Rodrigues, section 2.2.4, the fail-recovery model). Its first event is
    /// [`on_init`](Self::on_init). Nothing if it keeps nothing, and cannot start again.
    fn recovered(&self) -> Option<Self> {
        None
    }
}

/// The rank of a process, counted from 0, and nothing else: addresses belong to the network.
#[derive(Clone, Copy, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ProcessId(pub u32);

impl ProcessId {
    /// The rank as an index into a list of all processes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

/// Something that happens to a process: a request `R`, a message `M`, a timer `T`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Event<R, M, T> {
    /// The system starts. The first event of every process.
    Init,
    /// The application asks for something.
    Request(R),
    /// A message arrives.
    Message {
        /// The process that sent it.
        from: ProcessId,
        /// What it says.
        message: M,
    },
    /// A timer runs out.
    Timeout(T),
}

/// An event of a process of this type.
pub type EventOf<P> =
    Event<<P as Process>::Request, <P as Process>::Message, <P as Process>::Timer>;

impl<R, M, T> Event<R, M, T> {
    /// Calls the handler of this event.
    pub fn happen_to<P>(self, process: &mut P, ctx: &mut Context<P>)
    where
        P: Process<Request = R, Message = M, Timer = T>,
    {
        match self {
            Self::Init => process.on_init(ctx),
            Self::Request(request) => process.on_request(ctx, request),
            Self::Message { from, message } => process.on_message(ctx, from, message),
            Self::Timeout(timer) => process.on_timeout(ctx, timer),
        }
    }
}

/// Something that a process wants done: a message `M` sent, a timer `T` started, an indication `I` given.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Effect<M, T, I> {
    /// Send a message.
    Send {
        /// The receiver.
        to: ProcessId,
        /// What it says.
        message: M,
    },
    /// Start a timer, or restart it if it runs.
    StartTimer {
        /// Its name.
        timer: T,
        /// From now to its timeout.
        after: Duration,
    },
    /// Stop a timer, if it runs.
    StopTimer {
        /// Its name.
        timer: T,
    },
    /// Tell the application something.
    Indicate(I),
}

/// An effect of a process of this type.
pub type EffectOf<P> =
    Effect<<P as Process>::Message, <P as Process>::Timer, <P as Process>::Indication>;

/// What surrounds one process during one step.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The process.
    pub me: ProcessId,
    /// How many processes there are.
    pub processes: u32,
    /// Time since the start of the run; none in the model checker, which has no clock.
    pub now: Option<Duration>,
}

/// The only way from a handler to the world.
///
/// It records; it does not act. Effects are carried out after the handler has returned, in the
/// order in which they were recorded.
pub struct Context<P: Process> {
    env: Env,
    choices: Choices,
    effects: Vec<EffectOf<P>>,
}

impl<P: Process> Context<P> {
    /// Sends a message to one process.
    pub fn send(&mut self, to: ProcessId, message: P::Message) {
        self.effects.push(Effect::Send { to, message });
    }

    /// Sends a message to every other process, in the order of their ranks.
    pub fn send_to_others(&mut self, message: P::Message) {
        let me = self.me();
        for to in self.everyone().filter(|&to| to != me) {
            self.send(to, message.clone());
        }
    }

    /// Tells the application something.
    pub fn indicate(&mut self, indication: P::Indication) {
        self.effects.push(Effect::Indicate(indication));
    }

    /// Starts a timer, or restarts it if it runs.
    pub fn start_timer(&mut self, timer: P::Timer, after: Duration) {
        self.effects.push(Effect::StartTimer { timer, after });
    }

    /// Stops a timer, if it runs.
    pub fn stop_timer(&mut self, timer: P::Timer) {
        self.effects.push(Effect::StopTimer { timer });
    }

    /// One of `0..options`: random and seeded on the network and in the simulator, each of them in
    /// turn in the checker.
    ///
    /// # Panics
    ///
    /// If there are no options.
    pub fn choose(&mut self, options: usize) -> usize {
        assert!(options > 0, "nothing to choose from");
        self.choices.choose(options)
    }

    /// This process.
    pub fn me(&self) -> ProcessId {
        self.env.me
    }

    /// How many processes there are.
    pub fn processes(&self) -> u32 {
        self.env.processes
    }

    /// All processes, this one included, in the order of their ranks.
    pub fn everyone(&self) -> impl Iterator<Item = ProcessId> + use<P> {
        (0..self.env.processes).map(ProcessId)
    }

    /// Time since the start of the run.
    ///
    /// # Panics
    ///
    /// In the model checker, which has no clock: its states would differ by the time alone. An
    /// algorithm that is to be checked uses timers.
    pub fn now(&self) -> Duration {
        self.env.now.expect("the model checker has no clock; use a timer, or the simulator")
    }

    /// Runs one event of a process that this one only wraps: all that it asks for goes out as this
    /// process's own, in the order in which it asked.
    pub fn wrap<L>(&mut self, event: impl FnOnce(&mut Context<L>))
    where
        L: Process<Indication = P::Indication>,
        P::Message: From<L::Message>,
        P::Timer: From<L::Timer>,
    {
        for effect in self.inside(event) {
            match effect {
                Effect::Send { to, message } => self.send(to, message.into()),
                Effect::StartTimer { timer, after } => self.start_timer(timer.into(), after),
                Effect::StopTimer { timer } => self.stop_timer(timer.into()),
                Effect::Indicate(indication) => self.indicate(indication),
            }
        }
    }

    /// Runs one event of an inner layer.
    ///
    /// What the layer sends and the timers it starts go out as this process's own, wrapped by
    /// `From`, before this returns. What it indicates comes back to the caller, in order: what the
    /// caller makes of it happens after all that the layer sent. Where that order matters, as for
    /// leaving a critical section before passing a token on, use [`wrap`](Self::wrap).
    pub fn layer<L: Process>(&mut self, event: impl FnOnce(&mut Context<L>)) -> Vec<L::Indication>
    where
        P::Message: From<L::Message>,
        P::Timer: From<L::Timer>,
    {
        let mut indications = Vec::new();
        for effect in self.inside(event) {
            match effect {
                Effect::Send { to, message } => self.send(to, message.into()),
                Effect::StartTimer { timer, after } => self.start_timer(timer.into(), after),
                Effect::StopTimer { timer } => self.stop_timer(timer.into()),
                Effect::Indicate(indication) => indications.push(indication),
            }
        }
        indications
    }

    /// Runs one event of another process in this one's surroundings, and returns what it asks for, in
    /// order, without doing it.
    ///
    /// For a process that holds back, changes or records what the one inside it asks for. One that only
    /// passes it on uses [`wrap`](Self::wrap) or [`layer`](Self::layer).
    pub fn inside<L: Process>(&mut self, event: impl FnOnce(&mut Context<L>)) -> Vec<EffectOf<L>> {
        let choices = mem::take(&mut self.choices);
        let mut inner = Context { env: self.env, choices, effects: Vec::new() };
        event(&mut inner);
        self.choices = inner.choices;
        inner.effects
    }

    /// Runs one event of a process whose messages, timers and indications are this one's own: its
    /// effects become effects of this process where they stand. It costs nothing.
    pub fn alike<L>(&mut self, event: impl FnOnce(&mut Context<L>))
    where
        L: Process<Message = P::Message, Timer = P::Timer, Indication = P::Indication>,
    {
        let (choices, effects) = (mem::take(&mut self.choices), mem::take(&mut self.effects));
        let mut inner = Context { env: self.env, choices, effects };
        event(&mut inner);
        (self.choices, self.effects) = (inner.choices, inner.effects);
    }
}

/// Lets one event happen to a process and returns what the process wants done.
pub fn step<P: Process>(
    process: &mut P,
    env: Env,
    choices: &mut Choices,
    event: EventOf<P>,
) -> Vec<EffectOf<P>> {
    step_into(process, env, choices, event, Vec::new())
}

/// As [`step`], into a list that the caller used before, so that a step allocates nothing.
///
/// All drivers go through here: this is the one place where handlers are called.
pub fn step_into<P: Process>(
    process: &mut P,
    env: Env,
    choices: &mut Choices,
    event: EventOf<P>,
    effects: Vec<EffectOf<P>>,
) -> Vec<EffectOf<P>> {
    let mut ctx = Context { env, choices: mem::take(choices), effects };
    event.happen_to(process, &mut ctx);
    *choices = ctx.choices;
    ctx.effects
}

/// Where [`Context::choose`] takes its choices from.
#[derive(Clone, Debug)]
pub enum Choices {
    /// The state of SplitMix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number
    /// generators*, OOPSLA 2014): small, and the same on every machine and for ever.
    Random(u64),
    /// Choices to repeat, each with the number of options there were.
    Script {
        /// The choice and the number of options it was taken from.
        choices: Vec<(usize, usize)>,
        /// How many are already repeated.
        position: usize,
    },
}

impl Default for Choices {
    fn default() -> Self {
        Self::Script { choices: Vec::new(), position: 0 }
    }
}

impl Choices {
    /// Stands for a number of options that nobody wrote down.
    const ANY: usize = usize::MAX;

    /// What a process of a real run with this seed chooses: each from a stream of its own, for nobody
    /// knows in which order they run.
    pub(crate) fn of(process: ProcessId, seed: u64) -> Self {
        Self::Random(seed ^ (u64::from(process.0) << 32))
    }

    /// A script that repeats these choices, whatever they are taken from, and takes the first option
    /// after them.
    pub fn repeating(choices: &[usize]) -> Self {
        let choices = choices.iter().map(|&choice| (choice, Self::ANY)).collect();
        Self::Script { choices, position: 0 }
    }

    /// One of `0..options`.
    ///
    /// # Panics
    ///
    /// In a script, if the handler asks for another number of options than it did before: then it
    /// is not deterministic.
    pub fn choose(&mut self, options: usize) -> usize {
        match self {
            // The bias of the remainder is below options / 2^64.
            Self::Random(state) => (split_mix(state) % options as u64) as usize,
            Self::Script { choices, position } => {
                if *position == choices.len() {
                    choices.push((0, options));
                }
                let (choice, options_before) = choices[*position];
                let same = options == options_before || options_before == Self::ANY;
                assert!(same && choice < options, "the handler is not deterministic");
                *position += 1;
                choice
            }
        }
    }

    /// Moves a script to the next combination that is not yet tried. Returns whether there is one.
    pub fn advance(&mut self) -> bool {
        let Self::Script { choices, position } = self else { return false };
        *position = 0;
        while let Some((choice, options)) = choices.pop() {
            if choice + 1 < options {
                choices.push((choice + 1, options));
                return true;
            }
        }
        false
    }
}

/// The next number of SplitMix64.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
    enum Told {
        RollCall(Vec<String>),
        Entered,
        Joined { at: u32 },
    }

    #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
    #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
    enum Message {
        RollCall(Vec<String>),
        #[strum(serialize = "HELLO")]
        Greeting,
    }

    #[test]
    fn a_kind_is_the_name_of_the_variant_and_never_its_fields() {
        let names = [Told::RollCall(vec!["a".to_owned()]), Told::Entered, Told::Joined { at: 1 }];
        assert_eq!(names.map(|told| told.kind()), ["RollCall", "Entered", "Joined"]);
        let names = [Message::RollCall(Vec::new()), Message::Greeting];
        assert_eq!(names.map(|message| message.kind()), ["ROLL_CALL", "HELLO"]);
    }
}
