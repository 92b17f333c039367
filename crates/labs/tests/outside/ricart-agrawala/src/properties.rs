//! What is demanded of this algorithm and of no other.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness};

use crate::ricart_agrawala::{Indication, Message};

/// Nobody agrees to a later request: a process agrees only if it does not wait, and is not inside,
/// with an earlier request of its own.
///
/// All of it happens at one process, so no clock is needed to see it.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct EarlierFirst {
    /// The request with which each process waits or is inside.
    own: BTreeMap<ProcessId, (u64, ProcessId)>,
    /// The last request that each process heard of each other.
    heard: BTreeMap<(ProcessId, ProcessId), (u64, ProcessId)>,
}

impl Watch<Indication> for EarlierFirst {
    fn on_send(
        &mut self,
        at: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let (me, own) = (at.process, self.own.get(&at.process));
        match message.get::<Message>().as_deref() {
            Ok(Message::Ask { at }) => _ = self.own.insert(me, (*at, me)),
            Ok(Message::Agree) if own.is_some() && own < self.heard.get(&(me, to)) => {
                return Violation::check(format!("{me} asked before {to}, and agrees"), [at]);
            }
            _ => {}
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, at: Witness, message: &dyn Noted, _: u64) -> Check {
        if let Ok(Message::Ask { at: time }) = message.get().as_deref() {
            self.heard.insert((at.process, from), (*time, from));
        }
        Ok(())
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        if *indication == Indication::Left {
            self.own.remove(&at.process);
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds("nobody agreed to a request that was later than its own".to_owned())
    }
}
