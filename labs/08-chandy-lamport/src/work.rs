//! What the processes of this lab do while they are recorded: one of two applications.

use std::fmt;

use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::bank::{Account, Bank, Transfer};
use crate::counter::{Count, Counter, Tally};
use crate::pace::{Pace, Timer, somebody_else};
use crate::snapshot::Worth;

/// An application.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Work {
    /// Money is sent about.
    Bank(Bank),
    /// Steps are counted.
    Counter(Counter),
}

/// What processes send to each other.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// Of the bank.
    Transfer(Transfer),
    /// Of the counter.
    Count(Count),
}

/// What of an application is recorded.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Of the bank.
    Bank(Account),
    /// Of the counter.
    Counter(Tally),
}

impl Work {
    /// An application in a state, that goes on at this pace.
    pub fn new(state: State, pace: Pace) -> Self {
        match state {
            State::Bank(account) => Self::Bank(Bank { pace, account }),
            State::Counter(tally) => Self::Counter(Counter { pace, tally }),
        }
    }

    /// What is to be recorded of it: everything but its pace.
    pub fn state(&self) -> State {
        match self {
            Self::Bank(bank) => State::Bank(bank.account),
            Self::Counter(counter) => State::Counter(counter.tally),
        }
    }

    fn pace_mut(&mut self) -> &mut Pace {
        match self {
            Self::Bank(bank) => &mut bank.pace,
            Self::Counter(counter) => &mut counter.pace,
        }
    }
}

impl State {
    /// How many messages the process has sent.
    pub fn count(&self) -> u64 {
        match self {
            Self::Bank(Account { count, .. }) | Self::Counter(Tally { count, .. }) => *count,
        }
    }

    /// What of it is conserved.
    pub fn worth(&self) -> u64 {
        match self {
            Self::Bank(account) => account.money,
            Self::Counter(_) => 0,
        }
    }
}

impl Process for Work {
    type Request = Never;
    type Indication = Never;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.pace_mut().wait(ctx);
    }

    /// A message of the other application says nothing to this one.
    fn on_message(&mut self, _: &mut Context<Self>, _: ProcessId, message: Message) {
        match (self, message) {
            (Self::Bank(bank), Message::Transfer(transfer)) => bank.account.receive(transfer),
            (Self::Counter(counter), Message::Count(count)) => counter.tally.hear(count),
            _ => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Tick: Timer) {
        let Some(to) = somebody_else(ctx) else { return };
        let message = match self {
            Self::Bank(bank) => Message::Transfer(bank.account.pay(|most| ctx.choose(most))),
            Self::Counter(counter) => Message::Count(counter.tally.step()),
        };
        ctx.send(to, message);
        let pace = self.pace_mut();
        pace.count();
        pace.wait(ctx);
    }
}

impl Worth for Work {
    fn worth(&self) -> u64 {
        self.state().worth()
    }

    /// How many messages it has sent, and its money, or the greatest count that it was told.
    fn facts(&self) -> Vec<u64> {
        match self.state() {
            State::Bank(Account { count, money }) => vec![count, money],
            State::Counter(Tally { count, greatest }) => vec![count, greatest],
        }
    }

    fn worth_of(message: &Message) -> u64 {
        match message {
            Message::Transfer(transfer) => transfer.amount,
            Message::Count(_) => 0,
        }
    }
}

/// Without a second name round it.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer(Transfer { count, amount }) => write!(f, "Transfer({count}: {amount})"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bank(Account { count, money }) => write!(f, "money {money}, sent {count}"),
            Self::Counter(Tally { count, greatest }) => {
                write!(f, "counted {count}, heard of {greatest}")
            }
        }
    }
}
