//! What the monitors make of the steps: of each local step and each monitor worked out once.

use super::Space;
use crate::check::model::uncounted;
use crate::check::owed::{Kept, kept_at};
use crate::check::parts::{Map, Parts};
use crate::check::state::Shared;
use crate::process::{Process, ProcessId};
use crate::trace::note::TimerName;
use crate::trace::{Happening, Mishap};
use crate::verdict::{Monitors, Tags};

/// The number of the tags of a message for which no monitor wants any.
pub(super) const NO_TAGS: u32 = 0;

/// One property.
pub(super) struct Slot {
    pub(super) monitors: Parts<Monitors>,
    /// Of each of them, whether the property is violated.
    pub(super) violated: Vec<bool>,
    pub(super) uses_tags: bool,
    /// What becomes of its monitor at a local step, with the tags of the message that arrives.
    pub(super) judged: Map<(u32, u32, u32), Judged>,
    /// What is left of it, and of the tags under way, without what no longer matters.
    pub(super) forgotten: Map<Box<[u32]>, Box<[u32]>>,
    pub(super) tested: bool,
}

/// The number of a monitor after a local step, the tags of what is sent, and what was owed throughout.
type Judged = (u32, Box<[Tags]>, u64);

/// What monitors are told.
#[derive(Clone)]
pub(super) enum Told<P: Process> {
    Request(P::Request),
    Timeout(P::Timer),
    Indication(P::Indication),
    Receive(u32),
    Send(u32),
    Drop(u32),
    Crash,
}

/// A local step, as monitors hear of it.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) local: u32,
    /// The tags of the message that arrives.
    pub(super) in_tags: u32,
    /// The dead processes to which it sends, one bit each.
    pub(super) dead: u32,
    pub(super) mishap: Option<Mishap>,
}

impl Heard {
    /// The local step with the mishap: there is no memory for so many steps that the two could be mixed up.
    fn number(self) -> u32 {
        let mishap = match self.mishap {
            None => 0,
            Some(Mishap::Doubled) => 1,
            Some(Mishap::Overtaken) => 2,
        };
        self.local | mishap << 30
    }
}

impl Slot {
    pub(super) fn new(monitors: &Monitors) -> Self {
        Self {
            uses_tags: monitors.uses_tags(),
            monitors: Parts::new(),
            violated: Vec::new(),
            judged: Map::default(),
            forgotten: Map::default(),
            tested: false,
        }
    }
}

impl<P: Process> Space<P> {
    pub(super) fn monitor(&mut self, slot: usize, monitors: Monitors) -> u32 {
        let slot = &mut self.slots[slot];
        slot.tested |= monitors.put_to_the_test().any(|tested| tested);
        let violated = monitors.violation().is_some();
        let (number, is_new) = slot.monitors.number(Shared::new(monitors));
        if is_new {
            slot.violated.push(violated);
        }
        number
    }

    /// What the monitors of a state make of a local step. What its messages carry is left in `sent`. Where messages go
    /// to the dead, they are lost at once.
    pub(super) fn judge(&mut self, heard: Heard, state: &mut [u32]) -> Kept {
        let mut sent = std::mem::take(&mut self.sent);
        sent.clear();
        sent.resize(self.locals[heard.local as usize].letters.len(), Tags::default());
        let monitors_at = self.monitors_at();
        let mut kept = 0;
        for slot in 0..self.slots.len() {
            let number = &mut state[monitors_at + slot];
            let (after, owed) = self.judge_one(slot, *number, heard, &mut sent);
            *number = after;
            kept |= kept_at(slot, owed);
        }
        self.sent = sent;
        kept
    }

    pub(super) fn number_of_tags(&mut self, tags: Tags) -> u32 {
        match tags == Tags::default() {
            true => NO_TAGS,
            false => self.tags.number(Shared::new(tags)).0,
        }
    }

    /// What one monitor makes of a local step.
    fn judge_one(
        &mut self,
        slot: usize,
        number: u32,
        heard: Heard,
        sent: &mut [Tags],
    ) -> (u32, u64) {
        let Heard { local, in_tags, dead, mishap } = heard;
        let in_slot = if self.slots[slot].uses_tags { in_tags } else { 0 };
        let key = (number, heard.number(), in_slot);
        if dead == 0
            && let Some((after, tags, owed)) = self.slots[slot].judged.get(&key)
        {
            add_tags(sent, tags);
            return (*after, *owed);
        }
        let mut monitors = Monitors::clone(self.slots[slot].monitors.get(number));
        let local_step = &self.locals[local as usize];
        let me = local_step.rank as usize;
        let mut tags = Vec::new();
        let mut owed = self.owed(&monitors);
        if let Some(mishap) = mishap {
            monitors.on_mishap(mishap);
        }
        for told in &local_step.told {
            let in_tags = **self.tags.get(in_tags);
            let carried = self.tell(&mut monitors, me, told, in_tags);
            owed &= self.owed(&monitors);
            let Some(carried) = carried else { continue };
            tags.push(carried);
            if let Told::Send(letter) = told
                && dead >> self.channel(*letter).1 & 1 == 1
            {
                self.tell(&mut monitors, me, &Told::Drop(*letter), carried);
            }
        }
        if !self.slots[slot].uses_tags {
            monitors.forget_history(&mut |_| ());
        }
        let after = self.monitor(slot, monitors);
        add_tags(sent, &tags);
        if dead == 0 {
            let tags = if self.slots[slot].uses_tags { tags } else { Vec::new() };
            self.slots[slot].judged.insert(key, (after, tags.into(), owed));
        }
        (after, owed)
    }

    /// What monitors are owed, if that is asked.
    fn owed(&self, monitors: &Monitors) -> u64 {
        if self.labels { monitors.owe() } else { 0 }
    }

    /// Tells the monitors of a state something that is seldom told.
    pub(super) fn judge_each(
        &mut self,
        me: usize,
        told: &[(Told<P>, Tags)],
        state: &mut [u32],
    ) -> Kept {
        let monitors_at = self.monitors_at();
        let mut kept = 0;
        for slot in 0..self.slots.len() {
            let number = &mut state[monitors_at + slot];
            let mut monitors = Monitors::clone(self.slots[slot].monitors.get(*number));
            let mut owed = self.owed(&monitors);
            for (told, tags) in told {
                self.tell(&mut monitors, me, told, *tags);
                owed &= self.owed(&monitors);
            }
            kept |= kept_at(slot, owed);
            if !self.slots[slot].uses_tags {
                monitors.forget_history(&mut |_| ());
            }
            *number = self.monitor(slot, monitors);
        }
        kept
    }

    /// Tells monitors one thing. Returns what a message that is sent carries.
    fn tell(&self, monitors: &mut Monitors, me: usize, told: &Told<P>, tags: Tags) -> Option<Tags> {
        let at = uncounted(ProcessId(me as u32));
        let letter = |letter: &u32| &**self.letters.get(*letter);
        match told {
            Told::Request(request) => monitors.on_event(at, Happening::Request(request)),
            Told::Timeout(timer) => monitors.on_event(at, Happening::Timeout(&TimerName(timer))),
            Told::Indication(said) => monitors.on_event(at, Happening::Indication(said)),
            Told::Crash => monitors.on_event(at, Happening::Crash),
            Told::Receive(number) => {
                let (from, to, message) = letter(number);
                monitors.on_receive(*from, uncounted(*to), message, tags);
            }
            Told::Send(number) => {
                let (from, to, message) = letter(number);
                return Some(monitors.on_send(uncounted(*from), *to, message));
            }
            Told::Drop(number) => {
                let (from, to, message) = letter(number);
                monitors.on_drop(uncounted(*from), *to, message, tags);
            }
        }
        None
    }

    /// Makes states equal that differ only in what no longer matters: for a monitor with tags, who looks at
    /// all messages under way.
    pub(super) fn forget(&mut self, slot: usize, state: &mut [u32]) {
        let (monitor_at, messages_at) = (self.monitors_at() + slot, self.messages_at());
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        key.push(state[monitor_at]);
        for pair in state[messages_at..].chunks_exact(2) {
            key.extend_from_slice(&[self.channels[pair[0] as usize], pair[1]]);
        }
        if !self.slots[slot].forgotten.contains_key(&key[..]) {
            let forgotten = self.forget_anew(slot, &key);
            self.slots[slot].forgotten.insert(key.clone().into(), forgotten);
        }
        let forgotten = &self.slots[slot].forgotten[&key[..]];
        state[monitor_at] = forgotten[0];
        for (pair, &tags) in state[messages_at..].chunks_exact_mut(2).zip(&forgotten[1..]) {
            pair[1] = tags;
        }
        self.scratch = key;
    }

    fn forget_anew(&mut self, slot: usize, key: &[u32]) -> Box<[u32]> {
        let n = self.seats.len() as u32;
        let ends = |channel: u32| (ProcessId(channel / n), ProcessId(channel % n));
        let mut under_way: Vec<(ProcessId, ProcessId, Tags)> = key[1..]
            .chunks_exact(2)
            .map(|pair| (ends(pair[0]).0, ends(pair[0]).1, **self.tags.get(pair[1])))
            .collect();
        let mut monitors = Monitors::clone(self.slots[slot].monitors.get(key[0]));
        monitors.forget_history(&mut |visit| {
            for (from, to, tags) in &mut under_way {
                visit(*from, *to, tags);
            }
        });
        let mut after = vec![self.monitor(slot, monitors)];
        for (_, _, tags) in under_way {
            after.push(self.number_of_tags(tags));
        }
        after.into()
    }
}

fn add_tags(sent: &mut [Tags], tags: &[Tags]) {
    for (sent, tags) in sent.iter_mut().zip(tags) {
        for (sum, tag) in sent.iter_mut().zip(tags) {
            *sum += tag;
        }
    }
}
