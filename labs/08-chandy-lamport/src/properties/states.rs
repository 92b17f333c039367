//! The recorded state of a process is that of its cut.
//!
//! What the application of a process has at its cut is known from what reached it before: how many messages it has
//! sent, and its money, or the greatest count that it was told. A state that is recorded sooner or later differs, even
//! where the sum over all processes is right by chance, or nothing is conserved.
//!
//! Nobody pays more than it has, or nothing while it has something. How much it pays is random: that is judged where
//! chance explains nothing else.
//!
//! Money that is held back has left the account, and nobody has seen it: then the money is not compared here. It is in
//! the total.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::ticks::TICK;
use crate::bank::{AMOUNT_MAX, Transfer};
use crate::counter::Count;
use crate::snapshot::{Indication, Message, Recorded, Worth};
use crate::wave::Wave;
use crate::work::Message as Sent;

/// Watches what processes record of themselves.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct States {
    waves: u64,
    processes: Vec<One>,
    /// What a wave must record of a process that it has cut.
    expected: BTreeMap<(Wave, ProcessId), Expected>,
    compared: u64,
    amounts: Amounts,
}

/// What was paid where there was a choice.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Amounts {
    payments: u64,
    least: u64,
    most: u64,
}

/// So many payments are not all of the least amount, nor all of the most, but in one of 10^12 right runs.
const UNLIKELY: u64 = 40;

impl Amounts {
    fn pay(&mut self, amount: u64, most: u64) {
        self.payments += 1;
        self.least += u64::from(amount == 1);
        self.most += u64::from(amount == most);
    }

    /// Whether chance explains what was paid.
    fn judge(self) -> Check {
        let Self { payments, least, most } = self;
        let extreme = [(least, "least"), (most, "most")];
        match extreme.into_iter().find(|&(times, _)| times == payments && payments > UNLIKELY) {
            Some((times, which)) => {
                Violation::check(format!("all {times} payments are of the {which} that may be"), [])
            }
            None => Ok(()),
        }
    }
}

/// One process.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct One {
    /// How many messages its application has sent, or wanted to.
    count: u64,
    /// How many have left.
    left: u64,
    /// Its money, and that which is held back; nothing in the application without.
    money: Option<u64>,
    /// The greatest count that it was told.
    greatest: u64,
    recorded: u64,
    /// Whether it is in the step of a tick, and nothing was held back before: then it pays from what it has now.
    is_paying: bool,
}

/// What is known of a state.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Expected {
    count: u64,
    /// Its money, or the greatest count that it was told; nothing if that is not known.
    other: Option<u64>,
}

impl States {
    /// Watches so many processes that record so many waves, and have this money each, if they have any.
    pub fn new(processes: u32, waves: u64, money: Option<u64>) -> Self {
        let one = One { count: 0, left: 0, money, greatest: 0, recorded: 0, is_paying: false };
        let processes = vec![one; processes as usize];
        Self {
            waves,
            processes,
            expected: BTreeMap::new(),
            compared: 0,
            amounts: Amounts::default(),
        }
    }

    fn cut(&mut self, wave: Wave, process: ProcessId) {
        let One { count, left, money, greatest, .. } = self.processes[process.index()];
        let other = match money {
            Some(money) => Some(money).filter(|_| left == count),
            None => Some(greatest),
        };
        self.expected.insert((wave, process), Expected { count, other });
    }

    fn record(&mut self, recorded: &Recorded, at: Witness) -> Check {
        let process = at.process;
        self.processes[process.index()].recorded += 1;
        let wave = recorded.wave;
        // That a process is cut before it records is another property's matter.
        let Some(expected) = self.expected.remove(&(wave, process)) else { return Ok(()) };
        let &[count, other] = &recorded.state[..] else { return Ok(()) };
        self.compared += 1;
        let is_right = expected.count == count && expected.other.is_none_or(|known| known == other);
        if is_right {
            return Ok(());
        }
        let is_bank = self.processes[process.index()].money.is_some();
        let name = if is_bank { "money" } else { "greatest count" };
        let known = expected.other.map_or("any".to_owned(), |known| known.to_string());
        let what = format!(
            "{process} records in wave {wave} that it has sent {count} and {name} {other}; at its cut it had \
             sent {}, and {name} {known}",
            expected.count
        );
        Violation::check(what, [at])
    }

    /// A message of the application leaves.
    fn send(&mut self, from: Witness, message: Sent) -> Check {
        let one = &mut self.processes[from.process.index()];
        one.left += 1;
        if let (Some(money), Sent::Transfer(Transfer { amount, .. })) = (&mut one.money, message) {
            let has = *money;
            *money = has.saturating_sub(amount);
            let most = has.min(AMOUNT_MAX);
            if one.is_paying && most > 1 {
                self.amounts.pay(amount, most);
            }
            if amount > most || (amount == 0 && has > 0 && one.is_paying) {
                let what = format!("{} pays {amount}, and has {has}", from.process);
                return Violation::check(what, [from]);
            }
        }
        Ok(())
    }

    fn receive(&mut self, to: ProcessId, message: Sent) {
        let one = &mut self.processes[to.index()];
        match message {
            Sent::Transfer(Transfer { amount, .. }) => {
                one.money = one.money.map(|money| money.saturating_add(amount));
            }
            Sent::Count(Count(count)) => one.greatest = one.greatest.max(count),
        }
    }
}

/// A message of the application, if it is one.
fn of_application(message: &dyn Noted) -> Option<Sent> {
    match message.get::<Message<Sent>>().as_deref() {
        Ok(&Message::Application(message)) => Some(message),
        _ => None,
    }
}

impl<A: Worth<Message = Sent>> Watch<Indication<A>> for States {
    fn on_send(
        &mut self,
        from: Witness,
        _: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if let Some(message) = of_application(message) {
            self.send(from, message)?;
        }
        Ok(0)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        self.processes[to.process.index()].is_paying = false;
        if let Some(message) = of_application(message) {
            self.receive(to.process, message);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        match indication {
            Indication::Cut(wave) => self.cut(*wave, at.process),
            Indication::Recorded(part) => return self.record(&part.recorded, at),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        let one = &mut self.processes[at.process.index()];
        one.is_paying = false;
        if let Happening::Timeout(timer) = happening
            && timer.text() == TICK
            && one.recorded < self.waves
        {
            one.is_paying = one.left == one.count;
            one.count += 1;
        }
        Ok(())
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn reads(&self, kind: &str) -> bool {
        ["Cut", "Recorded"].contains(&kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        match self.amounts.judge() {
            Err(violation) => Judgement::Violated(violation),
            Ok(()) => Judgement::Holds(format!("{} compared", counted(self.compared, "state"))),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.compared > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.compared = self.compared.min(1);
        self.amounts = Amounts::default();
        self.processes.iter_mut().for_each(|one| one.is_paying = false);
    }
}
