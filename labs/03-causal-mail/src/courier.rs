//! Hands mails over to neighbours: each in order, exactly once, however often the network loses or
//! doubles what is sent, and though the process crashes in between.
//!
//! **The idea.** Mails for a neighbour are numbered and kept until it says that it has them. It takes only
//! the next number, says up to which number it has taken, and forgets what it gets twice. Who hears
//! nothing for a while sends again from the first that is missing ("go back N"). **What it needs.**
//! Queues and numbers are in stable storage; a crash loses only the knowledge of what was sent, and
//! so leads to sending again.
//! **Cost.** Two messages a mail, if nothing is lost. **Source.** Bartlett, Scantlebury and Wilkinson 1969; the
//! same as TCP does, but across crashes.

mod mistake;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use labs::process::ProcessId;

/// How many mails may be under way to one neighbour: enough to fill a network's delay, few enough
/// that sending again is cheap.
const WINDOW: u64 = 8;

/// How long an answer may take before all is sent again. Twice as long each time, up to
/// [`RETRY_MAX`].
pub const RETRY: Duration = Duration::from_secs(1);

/// A neighbour that is back is noticed within this time.
pub const RETRY_MAX: Duration = Duration::from_secs(16);

/// What was handed to neighbours, and taken from them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Courier<Mail> {
    outgoing: BTreeMap<ProcessId, Outgoing<Mail>>,
    /// Of each neighbour, the number of the last mail taken.
    taken: BTreeMap<ProcessId, u64>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Outgoing<Mail> {
    /// How many mails the neighbour has taken.
    taken: u64,
    /// The mails after these.
    queue: VecDeque<Mail>,
    /// How many of these were sent. Not in stable storage.
    sent: u64,
    /// How many times in a row nothing was heard. Not in stable storage.
    silences: u32,
}

impl<Mail> Default for Outgoing<Mail> {
    fn default() -> Self {
        Self { taken: 0, queue: VecDeque::new(), sent: 0, silences: 0 }
    }
}

impl<Mail> Default for Courier<Mail> {
    fn default() -> Self {
        Self { outgoing: BTreeMap::new(), taken: BTreeMap::new() }
    }
}

impl<Mail: Clone> Courier<Mail> {
    /// A mail is to be handed to a neighbour. It is kept until then.
    pub fn keep(&mut self, to: ProcessId, mail: Mail) {
        self.outgoing.entry(to).or_default().queue.push_back(mail);
    }

    /// What is to be sent to a neighbour now, each mail with its number.
    pub fn send(&mut self, to: ProcessId) -> Vec<(u64, Mail)> {
        let Some(outgoing) = self.outgoing.get_mut(&to) else { return Vec::new() };
        let from = outgoing.sent;
        outgoing.sent = WINDOW.min(outgoing.queue.len() as u64);
        let new = outgoing.queue.iter().take(outgoing.sent as usize).skip(from as usize);
        (outgoing.taken + from + 1..).zip(new.cloned()).collect()
    }

    /// The neighbour has taken all up to this number. Returns whether that is news.
    pub fn on_taken(&mut self, by: ProcessId, up_to: u64) -> bool {
        let Some(outgoing) = self.outgoing.get_mut(&by) else { return false };
        let news = up_to.saturating_sub(outgoing.taken).min(outgoing.queue.len() as u64);
        outgoing.queue.drain(..news as usize);
        outgoing.taken += news;
        outgoing.sent = outgoing.sent.saturating_sub(news);
        if news > 0 {
            outgoing.silences = 0;
        }
        news > 0
    }

    /// Nothing was heard for too long: all is to be sent again.
    pub fn on_silence(&mut self, of: ProcessId) {
        if let Some(outgoing) = self.outgoing.get_mut(&of) {
            outgoing.sent = 0;
            outgoing.silences += 1;
        }
    }

    /// How long to wait for a neighbour's answer; nothing if none is due.
    pub fn patience(&self, with: ProcessId) -> Option<Duration> {
        let outgoing = self.outgoing.get(&with).filter(|outgoing| !outgoing.queue.is_empty())?;
        // Beyond so many doublings it is the longest anyway.
        Some(RETRY.saturating_mul(1 << outgoing.silences.min(16)).min(RETRY_MAX))
    }

    /// A mail came from a neighbour, with its number. Returns whether it is the next, and counts it
    /// as taken.
    pub fn take(&mut self, from: ProcessId, number: u64) -> bool {
        let taken = self.taken.entry(from).or_default();
        let is_next = number == taken.saturating_add(1);
        *taken += u64::from(is_next);
        is_next
    }

    /// The number of the last mail taken from a neighbour.
    pub fn last_taken(&self, from: ProcessId) -> u64 {
        self.taken.get(&from).copied().unwrap_or(0)
    }

    /// Whether everything was handed over.
    pub fn is_idle(&self) -> bool {
        self.outgoing.values().all(|outgoing| outgoing.queue.is_empty())
    }

    /// Those for whom something is kept.
    pub fn awaited(&self) -> Vec<ProcessId> {
        let kept = self.outgoing.iter().filter(|(_, outgoing)| !outgoing.queue.is_empty());
        kept.map(|(&to, _)| to).collect()
    }

    /// What a crash leaves: all but what was sent.
    #[must_use]
    pub fn stable(&self) -> Self {
        let mut stable = self.clone();
        for outgoing in stable.outgoing.values_mut() {
            (outgoing.sent, outgoing.silences) = (0, 0);
        }
        stable
    }
}
