//! A reader of traces that knows the format only from its description, and checks the vector clocks by
//! computing all of them anew.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// A trace that was read.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The first line.
    pub header: Value,
    /// The others.
    pub events: Vec<Value>,
}

impl Trace {
    /// Reads a trace.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn read(path: &Path) -> Trace {
        let text = std::fs::read_to_string(path).expect("the trace is there");
        let mut lines =
            text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
        let header: Value = lines.next().expect("a trace has a header");
        assert_eq!(header["trace"], 2);
        Trace { header, events: lines.collect() }
    }

    /// How many events of a kind there are.
    pub fn count(&self, event: &str) -> usize {
        self.events.iter().filter(|line| line["event"] == event).count()
    }

    /// Asserts that every clock is what the rules of vector clocks make it.
    ///
    /// # Panics
    ///
    /// If one is not.
    pub fn assert_clocks(&self) {
        let processes = number(&self.header["processes"]);
        let mut clocks = vec![vec![0; processes]; processes];
        let mut sent: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for event in &self.events {
            let process = number(&event["process"]);
            let id = event["message"]["id"].as_str().unwrap_or_default();
            if event["event"] == "receive" {
                let sending = sent.get(id).unwrap_or_else(|| panic!("nobody sent it: {event}"));
                for (mine, theirs) in clocks[process].iter_mut().zip(sending) {
                    *mine = (*mine).max(*theirs);
                }
            }
            clocks[process][process] += 1;
            let clock: Vec<usize> =
                event["clock"].as_array().into_iter().flatten().map(number).collect();
            assert_eq!(clock, clocks[process], "{event}");
            assert_eq!(number(&event["n"]), clock[process], "{event}");
            if event["event"] == "send" {
                let twice = sent.insert(id.to_owned(), clock);
                assert!(twice.is_none(), "two messages have the id of {event}");
            }
        }
    }
}

fn number(value: &Value) -> usize {
    let number = value.as_u64().unwrap_or_else(|| panic!("{value} is no number"));
    usize::try_from(number).expect("numbers of events are small")
}
