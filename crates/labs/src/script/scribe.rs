//! Writes a run down as a script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::process::ProcessId;
use crate::trace::{Happening, Observer, Passing};

/// An observer that writes down what happens as the commands of a script.
///
/// What handlers chose is not seen from outside: where an algorithm chooses, the script needs
/// `choose` by hand. There is no command for recovery. Texts that are cut in traces, because they are
/// longer than [`TEXT_MAX`](crate::trace::note::TEXT_MAX) bytes, are cut here too.
#[derive(Clone, Debug, Default)]
pub struct Scribe {
    processes: u32,
    sent: u64,
    entries: Vec<Entry>,
    /// How many times each message leaves its channel: more than once if the network doubled it.
    leaves: BTreeMap<u64, u64>,
}

#[derive(Clone, Debug)]
enum Entry {
    Sent(Message),
    Arrived(Message),
    Lost(Message),
    Crashed(ProcessId),
    Command(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Message {
    number: u64,
    from: ProcessId,
    to: ProcessId,
}

/// The script, without what it leads to: run it with `UPDATE_GOLDENFILES=1` to have that written.
impl fmt::Display for Scribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "start {}", self.processes)?;
        let mut telling = Telling { leaves: self.leaves.clone(), ..Telling::default() };
        for command in self.entries.iter().filter_map(|entry| telling.command(entry)) {
            writeln!(f, "{command}")?;
        }
        writeln!(f, "---")
    }
}

/// The channels, while the script is told.
#[derive(Default)]
struct Telling {
    /// Messages under way, in the order of their sending.
    under_way: Vec<Message>,
    leaves: BTreeMap<u64, u64>,
    dead: BTreeSet<ProcessId>,
}

impl Telling {
    fn command(&mut self, entry: &Entry) -> Option<String> {
        match *entry {
            Entry::Command(ref command) => return Some(command.clone()),
            Entry::Crashed(process) => {
                // What is under way to the dead is lost without a command.
                self.dead.insert(process);
                self.under_way.retain(|message| message.to != process);
                return Some(format!("crash {process}"));
            }
            Entry::Sent(message) if self.dead.contains(&message.to) => {}
            Entry::Sent(message) => self.under_way.push(message),
            Entry::Arrived(message) => {
                let left = self.leaves.get_mut(&message.number)?;
                *left -= 1;
                let copy_stays = *left > 0;
                let verb = if copy_stays { "double" } else { "deliver" };
                return self.leave(message, verb, copy_stays);
            }
            Entry::Lost(message) => return self.leave(message, "lose", false),
        }
        None
    }

    fn leave(&mut self, message: Message, verb: &str, copy_stays: bool) -> Option<String> {
        let index = self.under_way.iter().position(|&other| other == message)?;
        let Message { from, to, .. } = message;
        let ahead = self.under_way[..index].iter();
        let place = ahead.filter(|other| (other.from, other.to) == (from, to)).count() + 1;
        if !copy_stays {
            self.under_way.remove(index);
        }
        let place = if place == 1 { String::new() } else { format!(" {place}") };
        Some(format!("{verb} {from} {to}{place}"))
    }
}

impl Observer for Scribe {
    type Carried = u64;

    fn on_send(&mut self, Passing { from, to, .. }: Passing<'_>) -> u64 {
        self.sent += 1;
        self.entries.push(Entry::Sent(Message { number: self.sent, from, to }));
        self.sent
    }

    fn on_receive(&mut self, Passing { from, to, .. }: Passing<'_>, &number: &u64) {
        self.entries.push(Entry::Arrived(Message { number, from, to }));
        *self.leaves.entry(number).or_default() += 1;
    }

    fn on_drop(&mut self, Passing { from, to, .. }: Passing<'_>, &number: &u64) {
        self.entries.push(Entry::Lost(Message { number, from, to }));
        *self.leaves.entry(number).or_default() += 1;
    }

    fn on_happening(&mut self, _: u64, process: ProcessId, happening: Happening<'_>) {
        let entry = match happening {
            Happening::Init => {
                self.processes = self.processes.max(process.0 + 1);
                return;
            }
            Happening::Indication(_) | Happening::Stop(_) => return,
            Happening::Request(request) => {
                Entry::Command(format!("request {process} {:?}", request.text()))
            }
            Happening::Timeout(timer) => {
                Entry::Command(format!("timeout {process} {:?}", timer.text()))
            }
            Happening::Recover => {
                Entry::Command(format!("# {process} recovers, for which there is no command"))
            }
            Happening::Crash | Happening::Misstep(_) => Entry::Crashed(process),
        };
        self.entries.push(entry);
    }
}
