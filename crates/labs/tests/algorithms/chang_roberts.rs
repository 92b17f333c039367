//! Leader election on a one-way ring: Chang and Roberts, CACM 22(5), 1979.
//!
//! Each process sends its identity to its successor. An identity is passed on by those with a
//! smaller one, and swallowed by those with a greater one; who gets its own back leads, and tells
//! the others.

use std::borrow::Cow;

use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};
use stateright::actor::{Actor, ActorModel, Id, Network, Out};

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ChangRoberts {
    identity: u32,
    leader: Option<u32>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Message {
    Elect(u32),
    Elected(u32),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(crate) enum Indication {
    Leads(u32),
}

/// A ring in which the greatest identity has the longest way before it.
pub(crate) fn ring(processes: u32) -> Vec<ChangRoberts> {
    (0..processes).map(|identity| ChangRoberts { identity, leader: None }).collect()
}

impl ChangRoberts {
    /// What to send on after a message.
    fn answer(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::Elect(other) if other > self.identity => Some(Message::Elect(other)),
            Message::Elect(other) if other < self.identity => None,
            Message::Elect(_) => {
                self.leader = Some(self.identity);
                Some(Message::Elected(self.identity))
            }
            Message::Elected(leader) if leader == self.identity => None,
            Message::Elected(leader) => {
                self.leader = Some(leader);
                Some(Message::Elected(leader))
            }
        }
    }
}

impl Process for ChangRoberts {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.send(successor(ctx), Message::Elect(self.identity));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, message: Message) {
        let knew = self.leader;
        if let Some(answer) = self.answer(message) {
            ctx.send(successor(ctx), answer);
        }
        if let Some(leader) = self.leader.filter(|_| knew.is_none()) {
            ctx.indicate(Indication::Leads(leader));
        }
    }
}

fn successor(ctx: &Context<ChangRoberts>) -> ProcessId {
    ProcessId((ctx.me().0 + 1) % ctx.processes())
}

/// The same for Stateright.
pub(crate) struct ChangRobertsActor {
    identity: u32,
    processes: usize,
}

impl ChangRobertsActor {
    fn successor(&self, me: Id) -> Id {
        Id::from((usize::from(me) + 1) % self.processes)
    }
}

impl Actor for ChangRobertsActor {
    type Msg = Message;
    type Timer = ();
    type State = ChangRoberts;
    type Storage = ();
    type Random = ();

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> ChangRoberts {
        out.send(self.successor(me), Message::Elect(self.identity));
        ChangRoberts { identity: self.identity, leader: None }
    }

    fn on_msg(
        &self,
        me: Id,
        state: &mut Cow<'_, ChangRoberts>,
        _: Id,
        message: Message,
        out: &mut Out<Self>,
    ) {
        if let Some(answer) = state.to_mut().answer(message) {
            out.send(self.successor(me), answer);
        }
    }
}

pub(crate) fn model(processes: usize) -> ActorModel<ChangRobertsActor> {
    let actor = |identity| ChangRobertsActor { identity, processes };
    ActorModel::new((), ())
        .actors((0..processes as u32).map(actor))
        .init_network(Network::new_ordered([]))
        .property(stateright::Expectation::Always, "one leader", |_, state| {
            let leaders = state.actor_states.iter().filter(|s| s.leader == Some(s.identity));
            leaders.count() <= 1
        })
}
