//! What detectors say, read back from the texts of a trace: of a real run there is nothing else.
//!
//! A text that was cut off, as that of a round with thousands of processes, is read as far as it goes.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::Noted;

use crate::lists::List;

/// What a detector says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// It put a process on a list.
    Listed {
        /// The process.
        process: ProcessId,
        /// The detector that found it out.
        by: ProcessId,
        /// The list that the process is on now; the last of several, which is a mistake.
        on: List,
    },
    /// It has sent a heartbeat.
    Round {
        /// Its number.
        round: u32,
        /// Of each process that it watches, the last heartbeat that it answered.
        answered: BTreeMap<ProcessId, u32>,
    },
    /// It is finished.
    Finished,
}

impl Told {
    /// Reads an indication; nothing if it is none of a detector.
    pub fn read(indication: &dyn Noted) -> Option<Self> {
        let text = indication.text();
        match &*indication.kind() {
            "Round" => Some(Self::Round {
                round: number(after(&text, "round: ")?)?,
                answered: after(&text, "answered: {").map(answers).unwrap_or_default(),
            }),
            "Suspect" | "Restore" | "Doubt" => Some(Self::Listed {
                process: process(after(&text, "process: ")?)?,
                by: process(after(&text, "by: ")?)?,
                on: list(after(&text, "on: [")?)?,
            }),
            "Finished" => Some(Self::Finished),
            _ => None,
        }
    }
}

fn after<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    text.split_once(what).map(|(_, rest)| rest)
}

/// The number with which a text begins.
fn number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The process with which a text begins: `p3`.
fn process(text: &str) -> Option<ProcessId> {
    number(text.strip_prefix('p')?).map(ProcessId)
}

/// Reads `Dead]`, or `Alive, Dead]`.
fn list(text: &str) -> Option<List> {
    let last = text.split(']').next()?.rsplit(", ").next()?;
    List::ALL.into_iter().find(|list| format!("{list:?}") == last)
}

/// Reads `p1: 7, p2: 5}`. Of a text that was cut off, the last number may be the beginning of one, and is
/// left out.
fn answers(text: &str) -> BTreeMap<ProcessId, u32> {
    let (pairs, is_whole) = match text.split_once('}') {
        Some((pairs, _)) => (pairs, true),
        None => (text, false),
    };
    let mut pairs: Vec<_> = pairs.split(", ").collect();
    if !is_whole {
        pairs.pop();
    }
    let pair = |pair: &str| {
        let (name, answered) = pair.split_once(": ")?;
        Some((process(name)?, number(answered)?))
    };
    pairs.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use labs::trace::Note;

    use super::*;
    use crate::two_levels::{Indication, Listed};

    fn read(indication: &Indication) -> Told {
        Told::read(&Note::of(indication)).unwrap()
    }

    #[test]
    fn what_is_said_is_read_back() {
        let [process, by] = [ProcessId(12), ProcessId(0)];
        for (on, expected) in
            [(vec![List::Dead], List::Dead), (vec![List::Alive, List::Unknown], List::Unknown)]
        {
            let listed = Listed { process, by, on };
            let told = Told::Listed { process, by, on: expected };
            assert_eq!(read(&Indication::Suspect(listed.clone())), told);
            assert_eq!(read(&Indication::Doubt(listed)), told);
        }
        assert_eq!(read(&Indication::Finished), Told::Finished);
    }

    fn round(watched: u32) -> (Indication, BTreeMap<ProcessId, u32>) {
        let answered: BTreeMap<_, _> = (1..=watched).map(|p| (ProcessId(p), 1_000 + p)).collect();
        let round = Indication::Round {
            round: 17,
            alive: 4,
            dead: 1,
            unknown: 0,
            answered: answered.clone(),
        };
        (round, answered)
    }

    #[test]
    fn a_round_is_read_as_far_as_it_was_written() {
        let (indication, answered) = round(51);
        assert_eq!(read(&indication), Told::Round { round: 17, answered });
        let (indication, all) = round(1_000);
        let Told::Round { round: 17, answered } = read(&indication) else { panic!("it is one") };
        assert!(answered.len() > 100 && answered.len() < 1_000);
        assert!(answered.iter().all(|(process, number)| all[process] == *number));
    }

    #[test]
    fn nonsense_is_nothing() {
        for (kind, text) in [
            ("Round", "Round"),
            ("Suspect", "Suspect(p3)"),
            ("Doubt", "process: p, by: p0"),
            ("X", ""),
        ] {
            let note = Note { kind: kind.to_owned(), text: text.to_owned() };
            assert_eq!(Told::read(&note), None, "{text}");
        }
    }
}
