//! The log of ShiViz (Beschastnikh et al., *Visualizing distributed system executions*, 2020): a line an
//! event, with its vector clock.
//!
//! The file can be given to ShiViz as it is: its first line is the expression by which the others are read,
//! its second, empty, says that it holds one run. ShiViz refuses a log in which the clock of a host does not
//! start at 1 and rise by 1 with every line of that host, or in which a clock knows of an event that is not
//! there. So every event of the trace is a line, and the clocks are computed here, from the messages: they
//! are there for every trace, and right for what stands in the file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Exporter, one_line};
use crate::clocks::Vector;
use crate::trace::event::CLOCKS_MAX_PROCESSES;
use crate::trace::{MessageId, TraceEvent, What};

/// The most processes: each has a column, and each clock an entry for each.
pub const PROCESSES_MAX: u32 = CLOCKS_MAX_PROCESSES;

/// How ShiViz is to read a line. The clock ends at the first brace, for the event may hold one too.
pub const EXPRESSION: &str = r"(?<host>\S+) (?<clock>\{.*?\}) (?<at>\S+) (?<event>.*)";

pub(super) struct Shiviz {
    clocks: Vec<Vector>,
    sent: BTreeMap<MessageId, Vector>,
}

impl Shiviz {
    pub(super) fn new(processes: u32, to: &mut dyn Write) -> io::Result<Self> {
        writeln!(to, "{EXPRESSION}\n")?;
        Ok(Self { clocks: vec![Vector::new(processes); processes as usize], sent: BTreeMap::new() })
    }
}

impl Exporter for Shiviz {
    fn event(&mut self, event: &TraceEvent, to: &mut dyn Write) -> io::Result<()> {
        let me = event.process;
        let clock = &mut self.clocks[me.index()];
        if let What::Receive { message, .. } = &event.what
            && let Some(theirs) = self.sent.get(&message.id)
        {
            clock.merge(theirs);
        }
        clock.tick(me);
        if let What::Send { message, .. } = &event.what {
            self.sent.insert(message.id, clock.clone());
        }
        let milliseconds = event.at_us as f64 / 1000.0;
        let (json, text) = (json(clock), one_line(&event.to_string()));
        writeln!(to, "{me} {json} {milliseconds:.3}ms {text}")
    }
}

/// A clock as ShiViz takes it: names and counts, without those that are zero.
fn json(clock: &Vector) -> String {
    let mut json = String::from("{");
    for (process, n) in clock.entries().iter().enumerate().filter(|(_, n)| **n > 0) {
        let comma = if json.len() > 1 { "," } else { "" };
        let _ = write!(json, "{comma}\"p{process}\":{n}");
    }
    json.push('}');
    json
}
