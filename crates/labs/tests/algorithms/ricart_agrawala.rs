//! Mutual exclusion by permission: Ricart and Agrawala, CACM 24(1), 1981.
//!
//! A process that wants the critical section asks all others and enters when all have agreed. One that
//! is inside, or that asked earlier, agrees only when it leaves. "Earlier" is the order of Lamport's
//! timestamps, with ranks to break ties.
//!
//! Each process enters a number of times, and leaves when its timer runs out.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};
use stateright::actor::{Actor, ActorModel, Id, Network, Out, model_timeout};

#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RicartAgrawala {
    clock: u32,
    /// How many entries are left.
    wanted: u32,
    /// When we asked, while we want the section or are in it.
    asked: Option<u32>,
    agreed: u32,
    deferred: BTreeSet<ProcessId>,
    /// A mistake to be found: who asked earlier is not preferred, and both enter.
    polite: bool,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Message {
    Ask { at: u32 },
    Agree,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(crate) enum Indication {
    Entered,
    Left,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Leave;

/// So many processes that want to enter so many times.
pub(crate) fn group(processes: usize, entries: u32) -> Vec<RicartAgrawala> {
    vec![RicartAgrawala { wanted: entries, ..RicartAgrawala::default() }; processes]
}

/// The same with a mistake: a process that is inside or asked earlier agrees all the same.
pub(crate) fn broken_group(processes: usize, entries: u32) -> Vec<RicartAgrawala> {
    let polite = RicartAgrawala { wanted: entries, polite: true, ..RicartAgrawala::default() };
    vec![polite; processes]
}

/// What a process does, for both worlds.
enum Deed {
    Send(ProcessId, Message),
    SendToOthers(Message),
    StartTimer,
    Indicate(Indication),
}

impl RicartAgrawala {
    fn ask(&mut self) -> Vec<Deed> {
        if self.wanted == 0 {
            return Vec::new();
        }
        self.wanted -= 1;
        self.clock += 1;
        self.asked = Some(self.clock);
        self.agreed = 0;
        vec![Deed::SendToOthers(Message::Ask { at: self.clock })]
    }

    fn hear(&mut self, me: ProcessId, n: u32, from: ProcessId, message: &Message) -> Vec<Deed> {
        match *message {
            Message::Ask { at } => {
                self.clock = self.clock.max(at) + 1;
                let we_come_first = self.asked.is_some_and(|asked| (asked, me) < (at, from));
                if we_come_first && !self.polite {
                    self.deferred.insert(from);
                    return Vec::new();
                }
                vec![Deed::Send(from, Message::Agree)]
            }
            Message::Agree => {
                self.agreed += 1;
                if self.agreed < n - 1 {
                    return Vec::new();
                }
                vec![Deed::Indicate(Indication::Entered), Deed::StartTimer]
            }
        }
    }

    fn leave(&mut self) -> Vec<Deed> {
        self.asked = None;
        let deferred = std::mem::take(&mut self.deferred).into_iter();
        let agree = deferred.map(|process| Deed::Send(process, Message::Agree));
        let mut deeds: Vec<_> =
            std::iter::once(Deed::Indicate(Indication::Left)).chain(agree).collect();
        deeds.extend(self.ask());
        deeds
    }
}

fn act(ctx: &mut Context<RicartAgrawala>, deeds: Vec<Deed>) {
    for deed in deeds {
        match deed {
            Deed::Send(to, message) => ctx.send(to, message),
            Deed::SendToOthers(message) => ctx.send_to_others(message),
            Deed::StartTimer => ctx.start_timer(Leave, Duration::from_millis(1)),
            Deed::Indicate(indication) => ctx.indicate(indication),
        }
    }
}

impl Process for RicartAgrawala {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Leave;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        let deeds = self.ask();
        act(ctx, deeds);
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        let deeds = self.hear(ctx.me(), ctx.processes(), from, &message);
        act(ctx, deeds);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Leave: Leave) {
        let deeds = self.leave();
        act(ctx, deeds);
    }
}

/// The same for Stateright.
pub(crate) struct RicartAgrawalaActor {
    initial: RicartAgrawala,
    processes: usize,
}

impl RicartAgrawalaActor {
    fn act(&self, me: Id, out: &mut Out<Self>, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::Send(to, message) => out.send(Id::from(to.index()), message),
                Deed::SendToOthers(message) => {
                    for to in (0..self.processes).map(Id::from).filter(|&to| to != me) {
                        out.send(to, message.clone());
                    }
                }
                Deed::StartTimer => out.set_timer(Leave, model_timeout()),
                Deed::Indicate(_) => {}
            }
        }
    }
}

fn process(id: Id) -> ProcessId {
    ProcessId(usize::from(id) as u32)
}

impl Actor for RicartAgrawalaActor {
    type Msg = Message;
    type Timer = Leave;
    type State = RicartAgrawala;
    type Storage = ();
    type Random = ();

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> RicartAgrawala {
        let mut state = self.initial.clone();
        let deeds = state.ask();
        self.act(me, out, deeds);
        state
    }

    fn on_msg(
        &self,
        me: Id,
        state: &mut Cow<'_, RicartAgrawala>,
        from: Id,
        message: Message,
        out: &mut Out<Self>,
    ) {
        let n = self.processes as u32;
        let deeds = state.to_mut().hear(process(me), n, process(from), &message);
        self.act(me, out, deeds);
    }

    fn on_timeout(
        &self,
        me: Id,
        state: &mut Cow<'_, RicartAgrawala>,
        Leave: &Leave,
        out: &mut Out<Self>,
    ) {
        let deeds = state.to_mut().leave();
        self.act(me, out, deeds);
    }
}

pub(crate) fn model(
    initial: &[RicartAgrawala],
    network: Network<Message>,
) -> ActorModel<RicartAgrawalaActor> {
    let processes = initial.len();
    let actor =
        |initial: &RicartAgrawala| RicartAgrawalaActor { initial: initial.clone(), processes };
    ActorModel::new((), ()).actors(initial.iter().map(actor)).init_network(network).property(
        stateright::Expectation::Always,
        "mutual exclusion",
        |_, state| {
            let n = state.actor_states.len() as u32;
            let inside = |s: &RicartAgrawala| s.asked.is_some() && s.agreed == n - 1;
            state.actor_states.iter().filter(|s| inside(s)).count() <= 1
        },
    )
}
