//! A sequence diagram of Mermaid, which Markdown viewers draw where they find it in a document.
//!
//! An arrow stands where its message arrives, and a lost one where it was lost: a sequence diagram knows no
//! time that messages take, and shows one order of several. Critical sections are activations; what repeats for
//! ever is a loop.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::Exporter;
use crate::process::ProcessId;
use crate::trace::Meaning;
use crate::trace::{Header, MessageId, Note, TraceEvent, What};

/// The most processes: more columns fit on no page.
pub const PROCESSES_MAX: u32 = 256;

/// The longest label, in characters: Mermaid makes columns as wide as their labels.
const LABEL_MAX: usize = 48;

pub(super) struct Mermaid {
    meaning: Meaning,
    /// What is under way, and to whom.
    under_way: BTreeMap<MessageId, (ProcessId, String)>,
    /// What has arrived: it may do so twice.
    arrived: BTreeSet<MessageId>,
    /// Which processes are in a critical section: Mermaid refuses to end what has not begun.
    inside: Vec<bool>,
    /// How many events come before those that repeat for ever, if any do.
    before_loop: Option<u64>,
    is_in_loop: bool,
}

impl Mermaid {
    pub(super) fn new(header: &Header, to: &mut dyn Write) -> io::Result<Self> {
        writeln!(to, "sequenceDiagram")?;
        for process in 0..header.processes {
            writeln!(to, "    participant p{process}")?;
        }
        let meaning = crate::view::meaning::of(header);
        let inside = vec![false; header.processes as usize];
        let (under_way, arrived) = (BTreeMap::new(), BTreeSet::new());
        // The header is line 1.
        let before_loop = header.cycle_from.as_ref().map(|cycle| cycle.line.saturating_sub(2));
        Ok(Self { meaning, under_way, arrived, inside, before_loop, is_in_loop: false })
    }

    /// Begins the loop before the first event that repeats, and ends it behind the last.
    fn go_round(&mut self, next: Option<&What>, to: &mut dyn Write) -> io::Result<()> {
        let is_over = next.is_none_or(|what| matches!(what, What::Stop(_)));
        if is_over && std::mem::replace(&mut self.is_in_loop, false) {
            writeln!(to, "    end")?;
        }
        match self.before_loop {
            Some(0) if !is_over => {
                self.is_in_loop = true;
                self.before_loop = None;
                writeln!(to, "    loop for ever")
            }
            _ => {
                self.before_loop = self.before_loop.map(|events| events.saturating_sub(1));
                Ok(())
            }
        }
    }

    fn indication(&mut self, me: ProcessId, note: &Note, to: &mut dyn Write) -> io::Result<()> {
        let inside = &mut self.inside[me.index()];
        let begins = self.meaning.sections.iter().any(|(enter, _)| *enter == note.kind);
        let ends = self.meaning.sections.iter().any(|(_, exit)| *exit == note.kind);
        if ends && std::mem::replace(inside, false) {
            return writeln!(to, "    deactivate {me}");
        }
        writeln!(to, "    Note over {me}: {}", label(&note.text))?;
        if begins && !std::mem::replace(inside, true) {
            writeln!(to, "    activate {me}")?;
        }
        Ok(())
    }
}

impl Exporter for Mermaid {
    fn event(&mut self, event: &TraceEvent, to: &mut dyn Write) -> io::Result<()> {
        let me = event.process;
        self.go_round(Some(&event.what), to)?;
        match &event.what {
            What::Send { peer, message } => {
                self.under_way.insert(message.id, (*peer, label(&message.text)));
                Ok(())
            }
            What::Receive { peer, message } => {
                let lacks = match self.under_way.remove(&message.id) {
                    None if !self.arrived.contains(&message.id) => " (its sending is missing)",
                    _ => "",
                };
                self.arrived.insert(message.id);
                writeln!(to, "    {peer}->>{me}: {}{lacks}", label(&message.text))
            }
            What::Drop { peer, message } => {
                self.under_way.remove(&message.id);
                writeln!(to, "    {me}-x{peer}: {} (lost)", label(&message.text))
            }
            What::Indication(note) => self.indication(me, note, to),
            What::Request(note) => {
                writeln!(to, "    Note over {me}: {}", label(&format!("? {}", note.text)))
            }
            What::Crash(_) => writeln!(to, "    Note over {me}: crashes"),
            What::Recover => writeln!(to, "    Note over {me}: recovers"),
            What::Init | What::Timeout(_) | What::Stop(_) => Ok(()),
        }
    }

    fn end(&mut self, to: &mut dyn Write) -> io::Result<()> {
        self.go_round(None, to)?;
        for (id, (peer, text)) in &self.under_way {
            writeln!(to, "    {}--){peer}: {text} (under way)", id.process)?;
        }
        Ok(())
    }
}

/// A text that Mermaid takes for nothing but text: some signs end a statement, or begin an entity or a tag.
fn label(text: &str) -> String {
    let mut label = String::new();
    for (i, c) in text.chars().enumerate() {
        match c {
            _ if i == LABEL_MAX => {
                label.push('…');
                break;
            }
            '#' | ';' | '<' | '>' | '&' | '"' | '%' | '`' | '\\' => {
                label.push_str(&format!("#{};", u32::from(c)));
            }
            c if c.is_control() => label.push('\u{fffd}'),
            c => label.push(c),
        }
    }
    label
}
