//! The states of a system as short lists of numbers, and the steps from one to the next.
//!
//! Handlers are functions: of a process, what surrounds it and an event they make a process and its
//! effects. A search lets the same event happen to the same process in very many states. So each such
//! *local step* is worked out once, and so is what each monitor makes of it; a step of the whole system
//! looks up both. (Local steps are called transition groups in LTSmin: Blom, van de Pol, Weber, *LTSmin:
//! distributed and symbolic reachability*, CAV 2010.)
//!
//! A state is `[faults, site of p0, ..., monitor, monitor, ..., message, tags, message, tags, ...]`. *Faults* counts
//! the messages lost and doubled, a *site* is a process with its timers, and there is a *monitor* for each property. Each
//! is the number of a part; the parts belong to one thread. The fingerprint of a state is made from the hashes of
//! its parts, and is the same in all threads.
//!
//! Where a handler is worked out it runs twice, and both results must be equal: one that looks at a clock or at
//! the order of a hash map is noticed.

mod judging;
mod working_out;

use std::sync::Arc;

use self::judging::{Heard, Slot, Told};
use super::graph::Class;
use super::model::Model;
use super::options::Channels;
use super::owed::Kept;
use super::parts::{Map, Parts, mix};
use super::state::{Envelope, Shared, Site, State};
use super::steps::Step;
use crate::misstep::Misstep;
use crate::misstep::watchdog::Whereabouts;
use crate::process::{Event, Process, ProcessId};
use crate::trace::Mishap;
use crate::verdict::{End, Monitors, Tags};

/// The states of one model, as one thread knows them.
pub(super) struct Space<P: Process> {
    pub(super) model: Arc<Model<P>>,
    /// The monitors before a run.
    watched: Monitors,
    /// Of each rank.
    pub(super) seats: Vec<Seat<P>>,
    letters: Parts<Letter<P::Message>>,
    /// Of each letter, the number of its channel.
    channels: Vec<u32>,
    tags: Parts<Tags>,
    /// Of each property.
    slots: Vec<Slot>,
    pub(super) locals: Vec<Local<P>>,
    /// What the messages carry that a local step sends.
    sent: Vec<Tags>,
    uses_tags: bool,
    scratch: Vec<u32>,
    /// Where the handlers say what they do.
    whereabouts: Whereabouts,
    /// Whether it is asked what is owed throughout a step.
    labels: bool,
}

/// One rank: its process in all states.
pub(super) struct Seat<P: Process> {
    pub(super) sites: Parts<Site<P>>,
    pub(super) about: Vec<About>,
    /// The local steps of a site at an event: from which to which.
    locals: Map<(u32, u32), (u32, u32)>,
}

/// What is asked often of a site.
#[derive(Clone, Copy, Default)]
pub(super) struct About {
    pub(super) crashed: bool,
    pub(super) has_request: bool,
    /// How many timers may run out.
    pub(super) timers: u32,
    /// Timers run that may not run out any more.
    is_bounded: bool,
}

/// A set of processes, one bit each.
pub(super) type Ranks = u32;

/// A message that was sent.
type Letter<M> = (ProcessId, ProcessId, M);

/// One event at one process, as far as that process goes.
pub(super) struct Local<P: Process> {
    pub(super) rank: u32,
    pub(super) before: u32,
    /// The process afterwards.
    pub(super) after: u32,
    /// The sender, if the event is a message.
    pub(super) from: Option<ProcessId>,
    /// The processes that are sent something, one bit each.
    pub(super) targets: Ranks,
    choices: Vec<usize>,
    /// What monitors are told of it, in order.
    told: Vec<Told<P>>,
    letters: Vec<u32>,
    wrong: Option<Wrong>,
}

/// What a handler did that none may do, and whose it is.
pub(super) type Wrong = (ProcessId, Misstep);

/// An event of a process, as a number: a request, the timer of this place, or the letter of this number.
const REQUEST: u32 = 0;
const TIMERS: u32 = 1;
const LETTERS: u32 = 1 << 31;

/// A step that was taken, so that it can be told.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// The message at this place of the state arrives, if there is one; a copy may stay under way.
    Local {
        local: u32,
        event: u32,
        message: Option<u32>,
        doubled: bool,
    },
    Lose {
        message: u32,
    },
    Crash {
        rank: u32,
    },
}

/// The states that follow from one.
pub(super) struct Successors {
    pub(super) words: Vec<u32>,
    pub(super) found: Vec<Successor>,
}

pub(super) struct Successor {
    begins: usize,
    ends: usize,
    pub(super) how: How,
    pub(super) kept: Kept,
    /// A handler went wrong, or a property is violated.
    pub(super) wrong: bool,
}

impl Successors {
    pub(super) fn new() -> Self {
        Self { words: Vec::new(), found: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.found.clear();
    }

    pub(super) fn words(&self, successor: &Successor) -> &[u32] {
        &self.words[successor.begins..successor.ends]
    }
}

/// The places of a state: faults, then the sites, then the monitors, then messages with their tags.
const SITES: usize = 1;

impl<P: Process> Space<P> {
    /// The states of a model, of which these monitors are a part.
    pub(super) fn new(model: Arc<Model<P>>, watched: &Monitors) -> Self {
        let processes = model.processes();
        let seat = |_| Seat { sites: Parts::new(), about: Vec::new(), locals: Map::default() };
        let mut tags = Parts::new();
        tags.number(Shared::new(Tags::default()));
        Self {
            seats: (0..processes).map(seat).collect(),
            letters: Parts::new(),
            channels: Vec::new(),
            tags,
            slots: watched.split().iter().map(Slot::new).collect(),
            locals: Vec::new(),
            sent: Vec::new(),
            uses_tags: watched.uses_tags(),
            scratch: Vec::new(),
            whereabouts: model.whereabouts.clone(),
            labels: false,
            watched: watched.clone(),
            model,
        }
    }

    pub(super) fn processes(&self) -> usize {
        self.seats.len()
    }

    fn monitors_at(&self) -> usize {
        SITES + self.seats.len()
    }

    pub(super) fn messages_at(&self) -> usize {
        self.monitors_at() + self.slots.len()
    }

    pub(super) fn site(&self, state: &[u32], rank: usize) -> u32 {
        state[SITES + rank]
    }

    pub(super) fn about(&self, state: &[u32], rank: usize) -> About {
        self.seats[rank].about[self.site(state, rank) as usize]
    }

    /// Sender and receiver of a message under way, as ranks.
    pub(super) fn channel(&self, letter: u32) -> (usize, usize) {
        let (channel, n) = (self.channels[letter as usize] as usize, self.seats.len());
        (channel / n, channel % n)
    }

    /// The same space, whose handlers say what they do to somebody else.
    pub(super) fn watched(self, whereabouts: Whereabouts) -> Self {
        Self { whereabouts, ..self }
    }

    /// The same space, which says what is owed throughout each step.
    pub(super) fn labelled(self) -> Self {
        Self { labels: true, ..self }
    }

    /// How many parts and worked out steps there are.
    pub(super) fn parts(&self) -> usize {
        let of_slot = |slot: &Slot| slot.monitors.len() + slot.judged.len() + slot.forgotten.len();
        let slots = self.slots.iter().map(of_slot);
        let seats = self.seats.iter().map(|seat| seat.sites.len());
        slots.sum::<usize>() + seats.sum::<usize>() + self.locals.len()
    }

    /// The same space, without any part.
    pub(super) fn fresh(&self) -> Self {
        let mut fresh = Self::new(Arc::clone(&self.model), &self.watched);
        fresh.whereabouts = self.whereabouts.clone();
        for (slot, before) in fresh.slots.iter_mut().zip(&self.slots) {
            slot.tested = before.tested;
        }
        fresh
    }

    /// How many messages were lost and doubled.
    pub(super) fn faults(state: &[u32]) -> (u32, u32) {
        (state[0] >> 16, state[0] & 0xffff)
    }

    /// Of each property that is watched, whether some state put it to the test.
    pub(super) fn tested(&self) -> impl Iterator<Item = bool> + '_ {
        self.slots.iter().map(|slot| slot.tested)
    }

    /// A state in the plain form, as numbers.
    pub(super) fn import(&mut self, state: &State<P>) -> Vec<u32> {
        let mut words = vec![state.lost << 16 | state.doubled];
        for (rank, site) in state.sites.iter().enumerate() {
            words.push(self.seat(rank, site.clone()));
        }
        for (slot, monitors) in state.monitors.split().into_iter().enumerate() {
            words.push(self.monitor(slot, monitors));
        }
        for Envelope { from, to, message, tags, .. } in &state.messages {
            words.push(self.letter((*from, *to, message.clone())));
            words.push(self.tags.number(Shared::new(*tags)).0);
        }
        words
    }

    /// The same the other way.
    pub(super) fn export(&self, words: &[u32]) -> State<P> {
        let sites = (0..self.processes()).map(|rank| {
            let site = self.seats[rank].sites.get(self.site(words, rank));
            site.clone()
        });
        let messages = words[self.messages_at()..].chunks_exact(2).map(|pair| {
            let (from, to, message) = &**self.letters.get(pair[0]);
            let (tags, message) = (**self.tags.get(pair[1]), message.clone());
            Envelope { from: *from, to: *to, message, tags, carried: () }
        });
        let (lost, doubled) = Self::faults(words);
        State {
            sites: sites.collect(),
            messages: messages.collect(),
            lost,
            doubled,
            monitors: self.monitors(words),
            panic: None,
        }
    }

    /// All monitors of a state that are watched.
    pub(super) fn monitors(&self, words: &[u32]) -> Monitors {
        let parts = self.slots.iter().zip(self.monitors_of(words));
        Monitors::join(parts.map(|(slot, &number)| &**slot.monitors.get(number)))
    }

    /// The numbers of the monitors of a state, one for each property.
    pub(super) fn monitors_of<'a>(&self, words: &'a [u32]) -> &'a [u32] {
        &words[self.monitors_at()..self.messages_at()]
    }

    /// The monitor of one property with this number.
    pub(super) fn monitor_of(&self, slot: usize, number: u32) -> &Monitors {
        self.slots[slot].monitors.get(number)
    }

    pub(super) fn fingerprint(&self, words: &[u32]) -> u64 {
        let mut hash = mix(0x2545_f491_4f6c_dd1d, words[0].into());
        for (seat, &site) in self.seats.iter().zip(&words[SITES..]) {
            hash = mix(hash, seat.sites.hash(site));
        }
        for (slot, &number) in self.slots.iter().zip(self.monitors_of(words)) {
            hash = mix(hash, slot.monitors.hash(number));
        }
        for pair in words[self.messages_at()..].chunks_exact(2) {
            hash = mix(hash, self.letters.hash(pair[0]));
            hash = mix(hash, self.tags.hash(pair[1]));
        }
        hash
    }

    /// Whether nothing is left to happen but faults, which need not.
    pub(super) fn is_end(&self, words: &[u32]) -> bool {
        let at_rest = |rank| {
            let About { crashed, has_request, timers, .. } = self.about(words, rank);
            crashed || !has_request && timers == 0
        };
        words.len() == self.messages_at() && (0..self.processes()).all(at_rest)
    }

    /// How a run ends in such a state.
    pub(super) fn end(&self, words: &[u32]) -> End {
        match (0..self.processes()).any(|rank| self.about(words, rank).is_bounded) {
            true => self.model.end_by_bound(),
            false => End::Complete,
        }
    }

    /// All steps from a state; those of some processes, if they are named.
    pub(super) fn successors(
        &mut self,
        state: &[u32],
        only: Option<Ranks>,
        found: &mut Successors,
    ) {
        let messages_at = self.messages_at();
        let mut channel = None;
        for place in (messages_at..state.len()).step_by(2) {
            let letter = state[place];
            let possible = match self.model.options.channels {
                Channels::Fifo => {
                    let channel_of = self.channels[letter as usize];
                    channel.replace(channel_of) != Some(channel_of)
                }
                Channels::Unordered => {
                    place == messages_at || state[place - 2..place] != state[place..place + 2]
                }
            };
            let (_, to) = self.channel(letter);
            if possible && only.is_none_or(|ranks| ranks >> to & 1 == 1) {
                self.arrivals(state, place, found);
            }
        }
        for rank in 0..self.processes() {
            if only.is_none_or(|ranks| ranks >> rank & 1 == 1) {
                self.of_process(state, rank, found);
            }
        }
    }

    /// What can become of a message.
    fn arrivals(&mut self, state: &[u32], place: usize, found: &mut Successors) {
        let options = &self.model.options;
        let letter = state[place];
        let (from, to) = self.channel(letter);
        let (from, to) = (ProcessId(from as u32), ProcessId(to as u32));
        let (lost, doubled) = Self::faults(state);
        let may_lose = lost < options.losses && options.may_lose(from, to);
        let may_double = doubled < options.duplicates && options.may_double(from, to);
        if may_lose {
            self.lose(state, place, found);
        }
        if may_double {
            self.local_steps(state, to.index(), LETTERS | letter, Some((place, true)), found);
        }
        self.local_steps(state, to.index(), LETTERS | letter, Some((place, false)), found);
    }

    /// What a process can do where no message arrives.
    fn of_process(&mut self, state: &[u32], rank: usize, found: &mut Successors) {
        let About { crashed, has_request, timers, .. } = self.about(state, rank);
        if crashed {
            return;
        }
        if has_request {
            self.local_steps(state, rank, REQUEST, None, found);
        }
        for timer in 0..timers {
            self.local_steps(state, rank, TIMERS + timer, None, found);
        }
        let most = self.model.options.crashes as usize;
        if most > 0 && self.model.options.may_crash(ProcessId(rank as u32)) {
            let crashed = (0..self.processes()).filter(|&rank| self.about(state, rank).crashed);
            if crashed.count() < most {
                self.crash(state, rank, found);
            }
        }
    }

    /// Lets an event happen in each way in which its handler can choose.
    fn local_steps(
        &mut self,
        state: &[u32],
        rank: usize,
        event: u32,
        message: Option<(usize, bool)>,
        found: &mut Successors,
    ) {
        let site = self.site(state, rank);
        let (first, end) = match self.seats[rank].locals.get(&(site, event)) {
            Some(&known) => known,
            None => self.work_out(rank, site, event),
        };
        for local in first..end {
            self.apply(state, local, event, message, found);
        }
    }

    /// The state after a local step.
    fn apply(
        &mut self,
        state: &[u32],
        local: u32,
        event: u32,
        message: Option<(usize, bool)>,
        found: &mut Successors,
    ) {
        let begins = found.words.len();
        let how = How::Local {
            local,
            event,
            message: message.map(|(place, _)| place as u32),
            doubled: message.is_some_and(|(_, doubled)| doubled),
        };
        let in_tags = message.map_or(0, |(place, _)| state[place + 1]);
        match message {
            Some((place, false)) => {
                found.words.extend_from_slice(&state[..place]);
                found.words.extend_from_slice(&state[place + 2..]);
            }
            _ => found.words.extend_from_slice(state),
        }
        if let Some((_, true)) = message {
            found.words[begins] += 1;
        }
        let Local { rank, after, targets, ref wrong, .. } = self.locals[local as usize];
        if wrong.is_some() {
            let ends = found.words.len();
            found.found.push(Successor { begins, ends, how, kept: 0, wrong: true });
            return;
        }
        found.words[begins + SITES + rank as usize] = after;
        let dead = targets & self.dead(state);
        let heard = Heard { local, in_tags, dead, mishap: self.mishap(state, message) };
        let kept = self.judge(heard, &mut found.words[begins..]);
        for sent in 0..self.sent.len() {
            let letter = self.locals[local as usize].letters[sent];
            if dead == 0 || dead >> self.channel(letter).1 & 1 == 0 {
                let tags = self.number_of_tags(self.sent[sent]);
                self.send(letter, tags, begins, &mut found.words);
            }
        }
        self.close(begins, how, kept, found);
    }

    /// What the network does to a message that arrives.
    fn mishap(&self, state: &[u32], message: Option<(usize, bool)>) -> Option<Mishap> {
        let (place, doubled) = message?;
        let channel = |place: usize| self.channels[state[place] as usize];
        let overtakes = place > self.messages_at() && channel(place - 2) == channel(place);
        match (doubled, overtakes) {
            (true, _) => Some(Mishap::Doubled),
            (false, true) => Some(Mishap::Overtaken),
            (false, false) => None,
        }
    }

    /// The processes that are dead, one bit each.
    fn dead(&self, state: &[u32]) -> u32 {
        if self.model.options.crashes == 0 {
            return 0;
        }
        let bit = |rank| u32::from(self.about(state, rank).crashed) << rank;
        (0..self.processes()).map(bit).sum()
    }

    /// Puts a message behind those of its channel.
    fn send(&self, letter: u32, tags: u32, begins: usize, words: &mut Vec<u32>) {
        let channel = self.channels[letter as usize];
        let first = begins + self.messages_at();
        let mut place = words.len();
        while place > first && self.channels[words[place - 2] as usize] > channel {
            place -= 2;
        }
        words.extend_from_slice(&[0, 0]);
        let end = words.len() - 2;
        words.copy_within(place..end, place + 2);
        words[place] = letter;
        words[place + 1] = tags;
    }

    /// A state is complete but for what no longer matters.
    fn close(&mut self, begins: usize, how: How, kept: Kept, found: &mut Successors) {
        self.sort(begins, &mut found.words);
        if self.uses_tags {
            for slot in 0..self.slots.len() {
                if self.slots[slot].uses_tags {
                    self.forget(slot, &mut found.words[begins..]);
                }
            }
            self.sort(begins, &mut found.words);
        }
        let mut monitors = self.slots.iter().zip(self.monitors_of(&found.words[begins..]));
        let wrong = monitors.any(|(slot, &number)| slot.violated[number as usize]);
        found.found.push(Successor { begins, ends: found.words.len(), how, kept, wrong });
    }

    /// Where channels are not FIFO, their messages stand in the order of their values.
    fn sort(&self, begins: usize, words: &mut [u32]) {
        if self.model.options.channels == Channels::Fifo {
            return;
        }
        let value = |pair: &[u32]| {
            let (_, _, message) = &**self.letters.get(pair[0]);
            (self.channels[pair[0] as usize], message, **self.tags.get(pair[1]))
        };
        let messages = &mut words[begins + self.messages_at()..];
        // They are few, and nearly in order.
        for end in (2..messages.len()).step_by(2) {
            let mut at = end;
            while at > 0 && value(&messages[at - 2..at]) > value(&messages[at..at + 2]) {
                messages[at - 2..at + 2].rotate_left(2);
                at -= 2;
            }
        }
    }

    /// The message at this place is lost.
    fn lose(&mut self, state: &[u32], place: usize, found: &mut Successors) {
        let begins = found.words.len();
        found.words.extend_from_slice(&state[..place]);
        found.words.extend_from_slice(&state[place + 2..]);
        found.words[begins] += 1 << 16;
        let (letter, tags) = (state[place], state[place + 1]);
        let told = [(Told::Drop(letter), **self.tags.get(tags))];
        let (sender, _) = self.channel(letter);
        let kept = self.judge_each(sender, &told, &mut found.words[begins..]);
        self.close(begins, How::Lose { message: place as u32 }, kept, found);
    }

    /// What is on its way to a process that dies is lost. What the process knew makes no difference any more.
    fn crash(&mut self, state: &[u32], rank: usize, found: &mut Successors) {
        let begins = found.words.len();
        let messages_at = self.messages_at();
        found.words.extend_from_slice(&state[..messages_at]);
        let mut told = vec![(Told::Crash, Tags::default())];
        for pair in state[messages_at..].chunks_exact(2) {
            if self.channel(pair[0]).1 == rank {
                told.push((Told::Drop(pair[0]), **self.tags.get(pair[1])));
            } else {
                found.words.extend_from_slice(pair);
            }
        }
        let before = self.seats[rank].sites.get(self.site(state, rank)).clone();
        let dead = self.model.dead_site(rank, &before);
        found.words[begins + SITES + rank] = self.seat(rank, Shared::new(dead));
        let kept = self.judge_each(rank, &told, &mut found.words[begins..]);
        self.close(begins, How::Crash { rank: rank as u32 }, kept, found);
    }

    /// To whom a step belongs: see [`Class`].
    pub(super) fn class(&self, state: &[u32], how: How) -> Class {
        let n = self.processes();
        let class = match how {
            How::Lose { .. } | How::Crash { .. } | How::Local { doubled: true, .. } => return 0,
            How::Local { message: Some(place), .. } => {
                1 + self.channels[state[place as usize] as usize] as usize
            }
            How::Local { local, event, .. } => {
                let rank = self.locals[local as usize].rank as usize;
                1 + n * n + 2 * rank + usize::from(event == REQUEST)
            }
        };
        class as Class
    }

    /// What is wrong with the handler of a step, if anything is.
    pub(super) fn wrong(&self, how: How) -> Option<&Wrong> {
        match how {
            How::Local { local, .. } => self.locals[local as usize].wrong.as_ref(),
            How::Lose { .. } | How::Crash { .. } => None,
        }
    }

    /// A step from a state, in words.
    pub(super) fn step(&self, state: &[u32], how: How) -> Step<P> {
        let at = |place: u32| {
            let index = (place as usize - self.messages_at()) / 2;
            let (from, to, message) = &**self.letters.get(state[place as usize]);
            (index as u32, *from, *to, message.clone())
        };
        match how {
            How::Lose { message } => {
                let (index, from, to, message) = at(message);
                Step::Lose { index, from, to, message }
            }
            How::Crash { rank } => Step::Crash { process: ProcessId(rank) },
            How::Local { local, message: Some(place), doubled, .. } => {
                let (index, from, to, message) = at(place);
                let choices = self.locals[local as usize].choices.clone();
                match doubled {
                    true => Step::Double { index, from, to, message, choices },
                    false => Step::Deliver { index, from, to, message, choices },
                }
            }
            How::Local { local, event, .. } => {
                let Local { rank, ref choices, .. } = self.locals[local as usize];
                let (process, choices) = (ProcessId(rank), choices.clone());
                let site = self.seats[rank as usize].sites.get(self.site(state, rank as usize));
                match self.event(process, site, event).0 {
                    Event::Request(request) => Step::Request { process, request, choices },
                    Event::Timeout(timer) => Step::Timeout { process, timer, choices },
                    Event::Init | Event::Message { .. } => Step::Start { process, choices },
                }
            }
        }
    }
}
