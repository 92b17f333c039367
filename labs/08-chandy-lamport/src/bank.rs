//! The bank: processes that send each other money.
//!
//! Nobody makes money or destroys it, so the total over all processes and all channels never changes. A
//! recorded global state with another total is wrong.

use serde::{Deserialize, Serialize};

use crate::pace::Pace;

/// The most that is sent at once.
pub const AMOUNT_MAX: u64 = 10;

/// Small enough that the total of all processes cannot overflow.
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

impl Account {
    /// Takes out what is to be sent: `choose` picks one of so many amounts.
    pub fn pay(&mut self, choose: impl FnOnce(usize) -> usize) -> Transfer {
        let amount = match self.money.min(AMOUNT_MAX) {
            0 => 0,
            most => choose(most as usize) as u64 + 1,
        };
        self.money -= amount;
        self.count += 1;
        Transfer { count: self.count, amount }
    }

    /// Puts in what has arrived.
    pub fn receive(&mut self, transfer: Transfer) {
        self.money = self.money.saturating_add(transfer.amount);
    }
}
