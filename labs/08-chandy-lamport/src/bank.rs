//! The bank: processes that send each other money.
//!
//! Nobody makes money or destroys it, so the total over all processes and all channels never changes. A
//! recorded global state with another total is wrong.

use std::convert::Infallible;

use labs::process::{Context, Kind, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::pace::{Pace, Timer, somebody_else};
use crate::snapshot::Worth;

/// The most that is sent at once.
pub const AMOUNT_MAX: u64 = 10;

/// So much money that the total of all processes is far from the end of its type.
pub const MONEY_MAX: u64 = 1_000_000_000_000;

/// One branch of the bank.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bank {
    /// When it sends.
    pub pace: Pace,
    /// What it has.
    pub account: Account,
}

/// What a branch has: the part of its state that is worth keeping.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Account {
    /// How many messages it has sent.
    pub count: u64,
    /// Its money.
    pub money: u64,
}

/// Money on its way.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Transfer {
    /// The sender's count.
    pub count: u64,
    /// How much; nothing if the sender had nothing.
    pub amount: u64,
}

impl Process for Bank {
    type Request = Infallible;
    type Indication = Infallible;
    type Message = Transfer;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.pace.wait(ctx);
    }

    fn on_request(&mut self, _: &mut Context<Self>, request: Infallible) {
        match request {}
    }

    fn on_message(&mut self, _: &mut Context<Self>, _: ProcessId, transfer: Transfer) {
        self.account.money = self.account.money.saturating_add(transfer.amount);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Tick: Timer) {
        let Some(to) = somebody_else(ctx) else { return };
        let amount = match self.account.money.min(AMOUNT_MAX) {
            0 => 0,
            most => ctx.choose(most as usize) as u64 + 1,
        };
        self.account.money -= amount;
        self.account.count += 1;
        ctx.send(to, Transfer { count: self.account.count, amount });
        self.pace.count();
        self.pace.wait(ctx);
    }
}

impl Worth for Bank {
    fn worth(&self) -> u64 {
        self.account.money
    }

    fn worth_of(transfer: &Transfer) -> u64 {
        transfer.amount
    }
}

impl Kind for Transfer {
    fn kind(&self) -> &'static str {
        "TRANSFER"
    }
}
