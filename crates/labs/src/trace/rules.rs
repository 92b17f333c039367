//! What every trace of a run keeps to: the rules of `docs/trace-format.md`.
//!
//! A judge believes what it is told. So whoever judges a file looks first whether a run can have written it:
//! whether each event follows from those before it by number, Lamport time, vector clock, time and place. Rules
//! that need only the order of numbers and messages are those of the judge itself
//! ([`StreamJudge`](crate::verdict::StreamJudge)), which sees each event before this does.
//!
//! Where events are missing ([`gaps`](super::gaps)), a receipt may bring news that the file does not explain.
//! Then its clocks are believed, as long as they do not go back.
//!
//! Cost: a small record for each message, and its vector clock while the message is under way.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::event::{CLOCKS_MAX_PROCESSES, Header, MessageNote, Setup, TraceEvent, What};
use super::note::{DATA_MAX, Data, Note, TEXT_MAX};
use super::{MessageId, Noted};
use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::verdict::{End, Pattern, PropertyKind};

/// How many entries of vector clocks of messages under way are kept, at 8 bytes each. Only a file that loses
/// most of its messages has more; then the clocks of the others are believed.
const CLOCK_ENTRIES_MAX: usize = 8 << 20;

/// A rule that a file breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}; no run of a lab writes that, so the file was changed, or is of another program")]
pub struct Broken(String);

type Checked = Result<(), Broken>;

fn broken<T>(what: String) -> Result<T, Broken> {
    Err(Broken(what))
}

/// Checks what stands in a header against itself.
///
/// # Errors
///
/// The first rule that it breaks.
pub(super) fn check_header(header: &Header, setup: Option<&Setup>) -> Checked {
    check_identity(header)?;
    if header.clocks && header.processes > CLOCKS_MAX_PROCESSES {
        let n = header.processes;
        return broken(format!(
            "the header promises vector clocks of {n} processes, and the most are {CLOCKS_MAX_PROCESSES}"
        ));
    }
    match (setup, header.verb.as_str()) {
        (Some(setup), "run") if setup.places.len() != header.processes as usize => {
            let (places, n) = (setup.places.len(), header.processes);
            broken(format!("`setup` has {places} places for {n} processes"))
        }
        (Some(_), verb) if verb != "run" => broken(format!("a trace of {verb} has no `setup`")),
        _ => Ok(()),
    }?;
    check_properties(header)?;
    let stray = header.meaning.roles.iter().find(|(process, _)| process.0 >= header.processes);
    match stray {
        Some((process, role)) => {
            broken(format!("{process} is no process, and `meaning` calls it {role:?}"))
        }
        None => Ok(()),
    }
}

fn check_identity(header: &Header) -> Checked {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if header.lab.is_empty() || !header.lab.bytes().all(plain) {
        return broken(format!("{:?} is not the name of a lab", header.lab));
    }
    let run = &header.run;
    let named = match header.verb.as_str() {
        "simulate" => Some(format!("simulated-{}", header.seed)),
        "check" => Some(format!("checked-{}", header.processes)),
        "run" => None,
        other => return broken(format!("{other:?} is none of run, simulate and check")),
    };
    match named {
        Some(named) if *run != named => broken(format!(
            "a run of {} with this header is called {named}, not {run}",
            header.verb
        )),
        None if run.is_empty() || run.starts_with("simulated-") || run.starts_with("checked-") => {
            broken(format!("{run:?} is not the name of a real run"))
        }
        _ => Ok(()),
    }
}

fn check_properties(header: &Header) -> Checked {
    for (at, property) in header.properties.iter().enumerate() {
        let name = &property.name;
        if name.is_empty() || header.properties[..at].iter().any(|other| other.name == *name) {
            return broken(format!("two properties are called {name:?}, or one has no name"));
        }
        let kind = property.pattern.as_ref().map(kind_of);
        if kind.is_some_and(|kind| kind != property.kind) {
            let kind = if kind == Some(PropertyKind::Safety) { "safety" } else { "liveness" };
            return broken(format!("the pattern of {name:?} is one of {kind}"));
        }
    }
    Ok(())
}

/// What kind of claim a pattern makes.
fn kind_of(pattern: &Pattern) -> PropertyKind {
    match pattern {
        Pattern::ExactlyOnce | Pattern::Responds { .. } | Pattern::Each { .. } => {
            PropertyKind::Liveness
        }
        _ => PropertyKind::Safety,
    }
}

/// Checks the events of a file, one after the other.
#[derive(Debug)]
pub struct Rules {
    processes: Vec<Known>,
    messages: BTreeMap<MessageId, Sent>,
    /// How many entries of clocks the messages hold.
    clock_entries: usize,
    stamps: Stamps,
    /// Whether all processes share one clock, so that nothing arrives before it is sent.
    one_clock: bool,
    /// Whether times mean anything.
    has_times: bool,
    end: Option<Note>,
}

/// What the events of this file are stamped with.
#[derive(Debug)]
struct Stamps {
    /// What the header says. Where it says nothing, the first event shows it.
    clocks: Option<bool>,
    /// Other programs may leave out Lamport times, 0 throughout, and the start of processes. The first event
    /// shows it.
    lamport: Option<bool>,
    init: Option<bool>,
}

/// What is known of one process.
#[derive(Clone, Debug, Default)]
struct Known {
    n: u64,
    lamport: u64,
    at_us: u64,
    clock: Vector,
    life: Life,
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Life {
    #[default]
    Unborn,
    Up,
    Down,
    Over,
}

/// What is known of a message.
#[derive(Debug)]
struct Sent {
    /// The hash of all that it says.
    says: u64,
    lamport: u64,
    at_us: u64,
    /// What its sender knew, until the message arrives.
    clock: Option<Vector>,
    has_arrived: bool,
}

/// What a receipt brings beside the message.
enum Brought<'a> {
    Nothing,
    /// What the sender knew.
    News {
        lamport: u64,
        clock: &'a Vector,
    },
    /// Something that the file does not tell.
    Unknown,
}

impl Rules {
    /// The rules for a file with this header, and whether that says anything of clocks.
    pub(super) fn new(header: &Header, says_clocks: bool) -> Self {
        let n = header.processes as usize;
        Self {
            processes: vec![Known::default(); n],
            messages: BTreeMap::new(),
            clock_entries: 0,
            stamps: Stamps {
                clocks: says_clocks.then_some(header.clocks),
                lamport: None,
                init: None,
            },
            one_clock: header.verb == "simulate",
            has_times: header.verb != "check",
            end: None,
        }
    }

    /// The next event, which the judge did not refuse.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn observe(&mut self, event: &TraceEvent) -> Checked {
        check_values(&event.what)?;
        self.check_life(event)?;
        self.check_end(event)?;
        self.check_time(event)?;
        self.check_message(event)?;
        self.check_stamps(event)?;
        self.remember(event);
        Ok(())
    }

    /// Whether an event can happen to a process as it is now.
    fn check_life(&mut self, event: &TraceEvent) -> Checked {
        let process = event.process;
        let has_init = *self.stamps.init.get_or_insert(event.what == What::Init);
        let life = &mut self.processes[process.index()].life;
        if *life == Life::Unborn && !has_init {
            *life = Life::Up;
        }
        *life = match (*life, &event.what) {
            (Life::Unborn, What::Init) => Life::Up,
            (Life::Unborn, _) => return broken(format!("{process} does not begin with `init`")),
            (_, What::Init) => return broken(format!("{process} starts a second time")),
            (Life::Up, What::Crash(_)) => Life::Down,
            (Life::Up, What::Stop(_)) => Life::Over,
            (Life::Up, What::Recover) => {
                return broken(format!("{process} starts again, and did not die"));
            }
            (Life::Up, _) => Life::Up,
            (Life::Down, What::Recover) => Life::Up,
            // The network loses what a process sent before it died.
            (Life::Down, What::Drop { .. }) => Life::Down,
            (Life::Down, _) => return broken(format!("`{event}`, and {process} is dead")),
            (Life::Over, _) => return broken(format!("`{event}`, and {process} has stopped")),
        };
        Ok(())
    }

    /// All processes that stop say the same of how the run ended.
    fn check_end(&mut self, event: &TraceEvent) -> Checked {
        let (process, What::Stop(Some(end))) = (event.process, &event.what) else { return Ok(()) };
        if End::from_note(end).is_none() {
            return broken(format!("{process} stops, and {:?} is no way to end a run", end.kind));
        }
        let first = self.end.get_or_insert_with(|| end.clone());
        match first == end {
            true => Ok(()),
            false => broken(format!("{process} says of the run's end what others do not say")),
        }
    }

    fn check_time(&self, event: &TraceEvent) -> Checked {
        let before = self.processes[event.process.index()].at_us;
        let is_effect = matches!(event.what, What::Send { .. } | What::Indication(_));
        if self.one_clock && is_effect && event.n > 1 && event.at_us != before {
            return broken(format!(
                "event {} of {} is at {} µs, and belongs to a step at {before} µs",
                event.n, event.process, event.at_us
            ));
        }
        match self.has_times && event.at_us < before {
            true => broken(format!(
                "event {} of {} is at {} µs, and the one before it at {before} µs",
                event.n, event.process, event.at_us
            )),
            false => Ok(()),
        }
    }

    /// A message is what it was when it was sent.
    fn check_message(&self, event: &TraceEvent) -> Checked {
        let process = event.process;
        let message = match &event.what {
            What::Send { message, .. } => {
                let id = MessageId { process, n: event.n };
                return match message.id == id {
                    true => Ok(()),
                    false => broken(format!("{process} sends message {}, not {id}", message.id)),
                };
            }
            What::Receive { message, .. } | What::Drop { message, .. } => message,
            _ => return Ok(()),
        };
        let Some(sent) = self.messages.get(&message.id) else { return Ok(()) };
        if sent.says != says(message) {
            return broken(format!(
                "message {} says something else than where it was sent",
                message.id
            ));
        }
        if self.one_clock && event.at_us < sent.at_us {
            let (id, sent_at) = (message.id, sent.at_us);
            let at = event.at_us;
            return broken(format!(
                "message {id} is here at {at} µs, and was sent at {sent_at} µs"
            ));
        }
        Ok(())
    }

    fn check_stamps(&mut self, event: &TraceEvent) -> Checked {
        let brought = match &event.what {
            What::Receive { message, .. } => match self.messages.get(&message.id) {
                // Its receiver knows since the first time what a copy brings.
                Some(Sent { has_arrived: true, .. }) => Brought::Nothing,
                Some(Sent { lamport, clock: Some(clock), .. }) => {
                    Brought::News { lamport: *lamport, clock }
                }
                _ => Brought::Unknown,
            },
            _ => Brought::Nothing,
        };
        let known = &self.processes[event.process.index()];
        let has_lamport = *self.stamps.lamport.get_or_insert(event.lamport != 0);
        check_lamport(event, known, &brought, has_lamport)?;
        let n = self.processes.len();
        let has_clocks = *self.stamps.clocks.get_or_insert(event.clock.is_some());
        match (has_clocks, &event.clock) {
            (true, Some(clock)) => check_clock(event, known, &brought, clock, n),
            (false, None) => Ok(()),
            (true, None) => broken(
                "an event without a vector clock (a file without any says so in its header: \
                 \"clocks\":false)"
                    .to_owned(),
            ),
            (false, Some(_)) => broken(
                "an event with a vector clock, and the header says \"clocks\":false".to_owned(),
            ),
        }
    }

    fn remember(&mut self, event: &TraceEvent) {
        let known = &mut self.processes[event.process.index()];
        (known.n, known.lamport, known.at_us) = (event.n, event.lamport, event.at_us);
        if let Some(clock) = &event.clock {
            known.clock.clone_from(clock);
        }
        match &event.what {
            What::Send { message, .. } => {
                let clock = event.clock.clone().unwrap_or_default();
                let entries = clock.entries().len();
                let has_room = self.clock_entries + entries <= CLOCK_ENTRIES_MAX;
                self.clock_entries += if has_room { entries } else { 0 };
                let sent = Sent {
                    says: says(message),
                    lamport: event.lamport,
                    at_us: event.at_us,
                    clock: has_room.then_some(clock),
                    has_arrived: false,
                };
                self.messages.insert(message.id, sent);
            }
            What::Receive { message, .. } => self.forget_clock(message.id, true),
            What::Drop { message, .. } => self.forget_clock(message.id, false),
            _ => {}
        }
    }

    /// A message is under way no more.
    fn forget_clock(&mut self, id: MessageId, has_arrived: bool) {
        if let Some(sent) = self.messages.get_mut(&id) {
            sent.has_arrived |= has_arrived;
            let clock = sent.clock.take();
            self.clock_entries -= clock.map_or(0, |clock| clock.entries().len());
        }
    }
}

fn check_lamport(event: &TraceEvent, known: &Known, brought: &Brought<'_>, keeps: bool) -> Checked {
    let (process, n, lamport) = (event.process, event.n, event.lamport);
    let expected = match brought {
        _ if !keeps => 0,
        Brought::Nothing => known.lamport.saturating_add(1),
        Brought::News { lamport, .. } => known.lamport.max(*lamport).saturating_add(1),
        Brought::Unknown if lamport > known.lamport => lamport,
        Brought::Unknown => known.lamport.saturating_add(1),
    };
    match lamport == expected {
        true => Ok(()),
        false => broken(format!(
            "the Lamport time of event {n} of {process} is {lamport}, and {expected} follows from \
             what is before it"
        )),
    }
}

fn check_clock(
    event: &TraceEvent,
    known: &Known,
    brought: &Brought<'_>,
    clock: &Vector,
    processes: usize,
) -> Checked {
    let (me, n) = (event.process, event.n);
    if clock.entries().len() != processes {
        let entries = clock.entries().len();
        return broken(format!(
            "the vector clock of event {n} of {me} has {entries} entries for {processes} processes"
        ));
    }
    for (process, &entry) in (0..).map(ProcessId).zip(clock.entries()) {
        let knew = known.clock.of(process);
        let expected = match brought {
            _ if process == me => n,
            Brought::Nothing => knew,
            Brought::News { clock, .. } => knew.max(clock.of(process)),
            Brought::Unknown => knew.max(entry),
        };
        if entry != expected {
            return broken(format!(
                "the entry of {process} in the vector clock of event {n} of {me} is {entry}, and \
                 {expected} follows from what is before it"
            ));
        }
    }
    Ok(())
}

/// The hash of all that a message says.
fn says(message: &MessageNote) -> u64 {
    let MessageNote { id: _, kind, text, bytes, data } = message;
    let mut hasher = DefaultHasher::new();
    (kind, text, bytes, data).hash(&mut hasher);
    hasher.finish()
}

/// Values have a kind, are cut where they are long, and those of timers are nothing.
fn check_values(what: &What) -> Checked {
    let (kind, text, data) = match what {
        What::Send { message, .. } | What::Receive { message, .. } | What::Drop { message, .. } => {
            (message.kind(), &message.text, &message.data)
        }
        What::Request(note) | What::Indication(note) => (note.kind(), &note.text, &note.data),
        What::Timeout(note) => {
            if !matches!(note.data.to_string().as_str(), "null") {
                return broken("the data of a timer is not null".to_owned());
            }
            (note.kind(), &note.text, &note.data)
        }
        _ => return Ok(()),
    };
    if kind.is_empty() {
        return broken("a value has no kind".to_owned());
    }
    if text.len() > TEXT_MAX + '…'.len_utf8() {
        return broken(format!("a text is longer than {TEXT_MAX} bytes, and not cut off"));
    }
    match data {
        Data::Cut(digested) => {
            let is_hash = digested.sha256.len() == 64
                && digested.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            match is_hash && digested.cut >= DATA_MAX as u64 {
                true => Ok(()),
                false => broken(
                    "what is left of a value is no number of bytes and their hash".to_owned(),
                ),
            }
        }
        Data::Whole(json) if json.get().len() > DATA_MAX => {
            broken(format!("a value is longer than {DATA_MAX} bytes, and not cut"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
