//! From the text of a plan to its rules.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use super::{Action, Channels, Fault, Plan, RULES_MAX, Rule, TIME_MAX, When};
use crate::chance::Chance;
use crate::process::ProcessId;

/// Why a text is no plan, or the plan cannot be carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{rule:?}: {why}")]
pub struct PlanError {
    /// The rule as it was written.
    pub rule: String,
    /// What is wrong with it, and what to do.
    pub why: String,
}

impl PlanError {
    /// A process is to start again that keeps nothing which it could start from.
    pub fn keeps_nothing(process: ProcessId) -> Self {
        Self {
            rule: format!("restart {}", process.0),
            why: format!(
                "nothing of {process} outlives it, so it cannot start again (--help says which options \
                 change that, if any)"
            ),
        }
    }
}

/// The plan without rules, where a lab brings one: nothing goes wrong.
pub(crate) const NONE: &str = "none";

/// What a rule begins with.
const VERBS: &str = "delay, drop, duplicate, reorder, partition, stop, continue, kill or restart";

/// The longest name of a kind of messages, in bytes: a header of a frame holds no more.
const KIND_MAX: usize = 16;

impl FromStr for Plan {
    type Err = PlanError;

    /// Reads rules separated by `;` or by lines, or `none`; `#` begins a comment that ends with its line.
    fn from_str(text: &str) -> Result<Self, PlanError> {
        if text.trim() == NONE {
            return Ok(Self::default());
        }
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or(""));
        let rules = lines.flat_map(|line| line.split(';')).map(str::trim);
        let mut plan = Self::default();
        for rule in rules.filter(|rule| !rule.is_empty()) {
            let error = |why: String| PlanError { rule: rule.to_owned(), why };
            if plan.rules.len() == RULES_MAX {
                return Err(error(format!("a plan has at most {RULES_MAX} rules")));
            }
            plan.push(rule.parse().map_err(error)?);
        }
        Ok(plan)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words { words: text.split_whitespace(), next: None };
        let fault = fault(&mut words)?;
        let when = when(&mut words)?;
        match words.next() {
            Some(word) => Err(format!("{word:?} is too much")),
            None => Ok(Self { fault, when }),
        }
    }
}

impl FromStr for Channels {
    type Err = String;

    /// Reads `0->1`, `0,1->*` or `0<->1`.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("->") {
            return Err(format!("{text:?} is no channel: write 0->1, 0,1->* or 0<->1"));
        }
        channels(&mut Words { words: text.split_whitespace(), next: None })
    }
}

/// The words of a rule, one of which may be looked at before it is taken.
struct Words<'a> {
    words: SplitWhitespace<'a>,
    next: Option<&'a str>,
}

impl<'a> Words<'a> {
    fn peek(&mut self) -> Option<&'a str> {
        self.next = self.next.or_else(|| self.words.next());
        self.next
    }

    fn next(&mut self) -> Option<&'a str> {
        self.next.take().or_else(|| self.words.next())
    }

    fn expect(&mut self, what: &str) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("it ends where {what} should stand"))
    }
}

fn fault(words: &mut Words<'_>) -> Result<Fault, String> {
    match words.expect(VERBS)? {
        "delay" => {
            let channels = channels(words)?;
            Ok(Fault::Delay(channels, delay(words.expect("a time such as 200ms")?)?))
        }
        "drop" => Ok(Fault::Drop(channels(words)?, share(words)?)),
        "duplicate" => Ok(Fault::Duplicate(channels(words)?, share(words)?)),
        "reorder" => Ok(Fault::Reorder(channels(words)?, share(words)?)),
        "partition" => {
            let sides = words.expect("the sides, such as 0,1|2,3")?;
            Ok(Fault::Partition(sides.split('|').map(group).collect::<Result<_, _>>()?))
        }
        "stop" => process_of(words, Action::Stop),
        "continue" => process_of(words, Action::Continue),
        "kill" => process_of(words, Action::Kill),
        "restart" => process_of(words, Action::Restart),
        other => Err(format!("{other:?} is no fault: a rule begins with {VERBS}")),
    }
}

fn process_of(words: &mut Words<'_>, action: Action) -> Result<Fault, String> {
    let process = words.expect("the number of a process")?;
    Ok(Fault::Process(action, self::process(process)?))
}

fn channels(words: &mut Words<'_>) -> Result<Channels, String> {
    let Some(word) = words.peek().filter(|word| word.contains("->")) else {
        return Ok(Channels::default());
    };
    words.next();
    let both = word.split_once("<->");
    let (from, to) = both.or_else(|| word.split_once("->")).unwrap_or((word, ""));
    let end = |text| if text == "*" { Ok(None) } else { group(text).map(Some) };
    Ok(Channels { from: end(from)?, to: end(to)?, both: both.is_some() })
}

fn share(words: &mut Words<'_>) -> Result<Chance, String> {
    let Some(word) = words.peek().filter(|word| word.ends_with('%')) else {
        return Ok(Chance::ALWAYS);
    };
    words.next();
    word.parse().map_err(|error: crate::chance::ChanceError| error.to_string())
}

fn delay(text: &str) -> Result<RangeInclusive<Duration>, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (time(from)?, time(to.trim_start_matches('='))?);
    if from > to {
        return Err(format!("{text:?} is an empty range: exchange its ends"));
    }
    Ok(from..=to)
}

fn when(words: &mut Words<'_>) -> Result<When, String> {
    let Some(word) = words.next() else { return Ok(When::Always) };
    let a_time = "a time such as 2s";
    match word {
        "at" => Ok(When::From(time(words.expect(a_time)?)?)),
        "from" => {
            let from = time(words.expect(a_time)?)?;
            if words.peek() != Some("to") {
                return Ok(When::From(from));
            }
            words.next();
            let to = time(words.expect(a_time)?)?;
            if from == to {
                return Err("it ends when it begins: let it end later".to_owned());
            }
            if from > to {
                return Err("it ends before it begins: exchange the times".to_owned());
            }
            Ok(When::Between(from, to))
        }
        "after" => {
            let count = words.expect("a number of messages")?;
            let count = match count.parse() {
                Ok(count @ 1..) => count,
                _ => return Err(format!("{count:?} is no number of messages, 1 or more")),
            };
            let kind = words.expect("a kind of messages, such as TOKEN")?;
            if kind.len() > KIND_MAX {
                return Err(format!("{kind:?} is no kind of messages: it is too long"));
            }
            Ok(When::After(count, kind.to_owned()))
        }
        other => Err(format!("{other:?}: here stands `at`, `from` or `after`, or nothing")),
    }
}

fn group(text: &str) -> Result<BTreeSet<ProcessId>, String> {
    let mut group = BTreeSet::new();
    for word in text.split(',') {
        if !group.insert(process(word)?) {
            return Err(format!("{word} is named twice in {text:?}"));
        }
    }
    Ok(group)
}

fn process(text: &str) -> Result<ProcessId, String> {
    let rank = text.strip_prefix('p').unwrap_or(text);
    let is_number = !rank.is_empty() && rank.bytes().all(|byte| byte.is_ascii_digit());
    let rank = is_number.then(|| rank.parse().ok()).flatten();
    rank.map(ProcessId).ok_or_else(|| format!("{text:?} is not the number of a process"))
}

/// Reads `2s`, `1.5s`, `200ms`, `50us` or `1m`.
fn time(text: &str) -> Result<Duration, String> {
    let error = || format!("{text:?} is no time: write 2s, 1.5s, 200ms, 50us or 1m");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" => 0.000_001,
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(error()),
    };
    let number: f64 = number.parse().map_err(|_| error())?;
    // Whole microseconds are all that virtual time has.
    let us = (number * seconds * 1e6).round();
    if us > TIME_MAX.as_micros() as f64 {
        return Err(format!("{text:?} is longer than any run: at most {} s", TIME_MAX.as_secs()));
    }
    Ok(Duration::from_micros(us as u64))
}
