//! Mutual exclusion: of any two critical sections, one is over before the other begins.
//!
//! *Before* is happened-before: a chain of messages leads from the exit of the one to the entry of the other. A
//! lease that was revoked is no exit. Two sections may be over without such a chain:
//!
//! * the process of a section died: it is not inside any more, and can tell nobody;
//! * its RELEASE was lost. It had left, and its lease keeps the sections apart.
//!
//! What the numbers of tokens are does not matter: sections are counted in the order of watching, which respects
//! causality. Each process knows which sections are over, and messages carry that along: a number, up to which
//! sections began, and one bit for each of the last of them. A section that is still going on is compared with all,
//! however old it is.
//!
//! Two sections that nothing keeps apart are a violation at once. If one of their leases was revoked, more are to be
//! expected: these pairs are counted, and judged at the end.
//!
//! Cost: one word a process and one a message; time in the number of sections that go on.

use std::collections::BTreeSet;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::Indication;

/// The message that says that a section is over.
const RELEASE: &str = "RELEASE";

/// How many sections before the last a process remembers by a bit. A section is that old only if its process slept
/// meanwhile; then it goes on, and is compared all the same.
const WINDOW: u32 = 32;

/// How many pairs that overlap are named; of more it is said how many there are.
const NAMED_MAX: usize = 3;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct MutualExclusion {
    /// What each process knows.
    known: Vec<Known>,
    /// How many sections began.
    sections: u64,
    /// The sections that go on, and the last that there were: the oldest first.
    recent: Vec<Section>,
    /// The tokens that were revoked.
    revoked: BTreeSet<u64>,
    /// How many pairs overlap of which a lease was revoked, and the first of them.
    overlapping: u64,
    named: Vec<Pair>,
}

/// One critical section.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Section {
    number: u64,
    token: u64,
    entry: Witness,
    exit: Exit,
    /// In how many pairs that overlap it was over: none of them does if its RELEASE was lost.
    unheard_by: u64,
}

/// Two sections that overlap, by their entries; and whether the first was over when the other began.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Pair {
    one: Witness,
    other: Witness,
    was_over: bool,
}

/// How a section ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Exit {
    /// It goes on.
    No,
    /// Its process left.
    Left,
    /// Nobody can hear of it: its process died, or RELEASE was lost.
    Unheard,
}

/// Which sections a process knows to be over.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Known {
    /// How many sections had begun when it last learned something.
    sections: u32,
    /// Bit `i`: the section that began `i` before the last of these is over.
    over: u32,
}

impl Known {
    fn from_tag(tag: u64) -> Self {
        Self { sections: (tag >> WINDOW) as u32, over: tag as u32 }
    }

    fn tag(self) -> u64 {
        u64::from(self.sections) << WINDOW | u64::from(self.over)
    }

    /// The same, once so many sections have begun.
    fn at(self, sections: u32) -> Self {
        let younger = sections.saturating_sub(self.sections);
        Self {
            sections: self.sections.max(sections),
            over: self.over.checked_shl(younger).unwrap_or(0),
        }
    }

    fn and(self, other: Self) -> Self {
        let (one, other) = (self.at(other.sections), other.at(self.sections));
        Self { over: one.over | other.over, ..one }
    }

    /// Whether this section is over. One that is too old to be remembered is taken for it.
    fn has(self, number: u32) -> bool {
        let age = self.sections.saturating_sub(number);
        number <= self.sections && self.over.checked_shr(age).is_none_or(|bits| bits & 1 == 1)
    }

    fn learn(self, number: u32) -> Self {
        let known = self.at(number);
        let bit = 1_u32.checked_shl(known.sections - number).unwrap_or(0);
        Self { over: known.over | bit, ..known }
    }
}

impl MutualExclusion {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self {
            known: vec![Known::default(); processes as usize],
            sections: 0,
            recent: Vec::new(),
            revoked: BTreeSet::new(),
            overlapping: 0,
            named: Vec::new(),
        }
    }

    fn enter(&mut self, token: u64, entry: Witness) -> Check {
        let known = self.known[entry.process.index()];
        let others = self.recent.iter_mut().filter(|other| {
            other.exit != Exit::Unheard && !(other.is_over() && known.has(other.number as u32))
        });
        for other in others {
            if !self.revoked.contains(&other.token) && !self.revoked.contains(&token) {
                return Err(overlap(other, entry));
            }
            self.overlapping += 1;
            other.unheard_by += u64::from(other.is_over());
            if self.named.len() < NAMED_MAX {
                self.named.push(Pair { one: other.entry, other: entry, was_over: other.is_over() });
            }
        }
        self.sections += 1;
        let number = self.sections;
        self.recent.retain(|section| {
            let is_young = number - section.number < u64::from(WINDOW);
            !section.is_over() || is_young || section.unheard_by > 0
        });
        self.recent.push(Section { number, token, entry, exit: Exit::No, unheard_by: 0 });
        Ok(())
    }

    /// The section of a process that goes on.
    fn inside(&mut self, process: ProcessId) -> Option<&mut Section> {
        let mut recent = self.recent.iter_mut();
        recent.find(|section| section.entry.process == process && !section.is_over())
    }

    fn exit(&mut self, token: u64, exit: Witness) -> Check {
        let process = exit.process;
        let Some(section) = self.inside(process).filter(|section| section.token == token) else {
            let what = format!("{process} leaves the section of token {token}, and was not in it");
            return Violation::check(what, [exit]);
        };
        section.exit = Exit::Left;
        let number = section.number as u32;
        let known = &mut self.known[process.index()];
        *known = known.learn(number);
        Ok(())
    }

    /// Nobody will hear how the last section of a process ended: the last before this event. In a real run it is
    /// known at the end only that a RELEASE was lost.
    fn unhear(&mut self, at: Witness, is_dead: bool) {
        // The checker does not count events.
        let is_before = |section: &&mut Section| {
            section.entry.process == at.process && (section.entry.n < at.n || at.n == 0)
        };
        let last = self.recent.iter_mut().rfind(is_before);
        let Some(section) = last.filter(|section| is_dead || section.is_over()) else { return };
        section.exit = Exit::Unheard;
        if is_dead {
            return;
        }
        self.overlapping -= std::mem::take(&mut section.unheard_by);
        let entry = section.entry;
        self.named.retain(|pair| !(pair.was_over && pair.one == entry));
    }

    fn pairs(&self) -> String {
        let pair = |Pair { one, other, .. }: &Pair| format!("that of {one} and that of {other}");
        let named: Vec<_> = self.named.iter().map(pair).collect();
        let more = match self.overlapping.saturating_sub(self.named.len() as u64) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let pairs = counted(self.overlapping, "pair");
        format!(
            "{pairs} of sections overlap under happened-before, and their leases were revoked: {}{more}; what keeps \
             them apart is fencing",
            named.join("; ")
        )
    }
}

impl Section {
    fn is_over(&self) -> bool {
        self.exit != Exit::No
    }
}

fn overlap(other: &Section, entry: Witness) -> Violation {
    let (one, process) = (other.entry.process, entry.process);
    let what = match other.is_over() {
        false => format!("{process} enters while {one} is inside"),
        true => format!(
            "the sections of {one} and {process} are concurrent: no chain of messages leads from the exit of the \
             one to the entry of the other"
        ),
    };
    Violation::new(what, [other.entry, entry])
}

impl Watch<Indication> for MutualExclusion {
    fn on_send(&mut self, from: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        Ok(self.known[from.process.index()].tag())
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        let known = &mut self.known[to.process.index()];
        *known = known.and(Known::from_tag(tag));
        Ok(())
    }

    fn on_drop(&mut self, from: Witness, _: ProcessId, message: &dyn Noted, _: u64) -> Check {
        if message.kind() == RELEASE {
            self.unhear(from, false);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            Indication::Entered(token) => return self.enter(token, at),
            Indication::Left(token) | Indication::Expired(token) => return self.exit(token, at),
            Indication::Revoked(token) => drop(self.revoked.insert(token)),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash) {
            self.unhear(at, true);
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        if self.overlapping > 0 {
            let witnesses: Vec<_> =
                self.named.iter().flat_map(|pair| [pair.one, pair.other]).collect();
            return Judgement::Violated(Violation::new(self.pairs(), witnesses));
        }
        let sections = counted(self.sections, "critical section");
        let order = if self.sections > 1 { ", pairwise ordered" } else { "" };
        Judgement::Holds(format!("{sections}{order}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 0
    }

    /// Of the sections that are over only the last matters: a process that does not know of it is too early
    /// anyway, and one that knows of it knows of those before.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let last = self.sections as u32;
        let is_last = |section: &Section| section.number == u64::from(last);
        self.recent.retain(|section| is_last(section) || !section.is_over());
        let forget = |known: Known| {
            let over = u32::from(last > 0 && known.has(last));
            Known { sections: 1, over }
        };
        self.known.iter_mut().for_each(|known| *known = forget(*known));
        tags(&mut |_, _, tag| *tag = forget(Known::from_tag(*tag)).tag());
        self.sections = u64::from(last.min(1));
        self.recent.iter_mut().for_each(|section| section.number = 1);
        self.revoked.retain(|token| self.recent.iter().any(|section| section.token == *token));
    }
}

#[cfg(test)]
mod tests;
