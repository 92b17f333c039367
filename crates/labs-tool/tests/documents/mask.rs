//! Masks what differs from run to run, in what a document says and in what a program prints alike.
//!
//! Simulations and searches are the same each time, and so is what is made from a trace: there
//! only the time is masked that they took.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mask {
    /// All but how long it took, and where files are.
    Exact,
    /// Not what the machine and chance decide: times, process numbers, ports.
    Run,
    /// No numbers at all.
    Numbers,
}

/// What a command says if it does the same each time.
const EXACT: [&str; 6] = [" simulate", " check", " hunt", " verify", " export", " inspect"];

/// What differs in everything.
const EVERYWHERE: &[(&str, &str)] = &[
    (r"\s+", " "),
    ("[0-9]{8}-[0-9]{6}-[0-9a-f]{4}", "RUN"),
    // Paths: only the last name.
    (r#"(^|[\s:"'])(?:\.\.\.)?/[^\s:;,"']*/([^\s/:;,"']*)"#, "$1.../$2"),
    (", [0-9.]+ s$", ", TIME"),
];

/// What differs if processes and clocks are real.
const RUN: &[(&str, &str)] = &[
    ("[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z| UTC)", "DATE"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]+ [A-Z][a-z]+ [0-9]{4} [0-9:]+", "DATE"),
    (r"[+-]?\b[0-9.]+ (m?s)\b", "TIME $1"),
    (r"\bseed [0-9]+", "seed SEED"),
    (r"\b[0-9]+ a second", "RATE a second"),
    // Processes: in names, in tables, in sentences.
    (r"\bvm([/-])[0-9]+", "vm${1}PID"),
    (r"^(p[0-9]+ localhost) [0-9]+", "$1 PID"),
    (r"\bprocess [0-9]+", "process PID"),
    ("^uid=.*", "IDS"),
    // A process without a terminal, as `ps` shows it, works or sleeps.
    (r" \? [DRS] ", " ? S "),
    // Ports that the system chooses.
    (r"(:|\bport )[3-6][0-9]{4}\b", "${1}PORT"),
];

impl Mask {
    /// What is compared of what this command prints.
    pub(crate) fn of(command: &str) -> Self {
        let is_exact = EXACT.iter().any(|verb| command.contains(verb));
        if is_exact && !command.contains(" run") { Self::Exact } else { Self::Run }
    }

    /// A line without what is not compared.
    pub(crate) fn apply(self, line: &str) -> String {
        type Rules = LazyLock<Vec<(Regex, &'static str)>>;
        static EVERYWHERE_RULES: Rules = LazyLock::new(|| compile(EVERYWHERE));
        static RUN_RULES: Rules = LazyLock::new(|| compile(RUN));
        static NUMBER: LazyLock<Regex> =
            LazyLock::new(|| Regex::new("[0-9]+([.][0-9]+)?").unwrap());
        let mut line = replace(line.trim(), &EVERYWHERE_RULES);
        if self != Self::Exact {
            line = replace(&line, &RUN_RULES);
        }
        if self == Self::Numbers {
            line = NUMBER.replace_all(&line, |_: &Captures<'_>| "#").into_owned();
        }
        line
    }
}

fn compile(rules: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    rules
        .iter()
        .map(|(rule, by)| (Regex::new(rule).expect("it is a regular expression"), *by))
        .collect()
}

fn replace(line: &str, rules: &[(Regex, &'static str)]) -> String {
    let replaced = |line: String, (rule, by): &(Regex, &'static str)| {
        rule.replace_all(&line, *by).into_owned()
    };
    rules.iter().fold(line.to_owned(), replaced)
}

/// How lines are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) mask: Mask,
    /// Lines come in the order of the document.
    pub(crate) is_ordered: bool,
}

impl Comparison {
    /// The first line of a document that a program did not print. Programs may print more, for
    /// documents show excerpts; a line "..." says so.
    pub(crate) fn first_missing(self, expected: &[String], printed: &str) -> Option<usize> {
        let mut printed: Vec<String> = printed.lines().map(|line| self.mask.apply(line)).collect();
        expected.iter().position(|line| {
            let masked = self.mask.apply(line);
            if masked.is_empty() || masked == "..." {
                return false;
            }
            match printed.iter().position(|line| *line == masked) {
                Some(found) if self.is_ordered => {
                    printed.drain(..=found);
                }
                Some(found) => {
                    printed.remove(found);
                }
                None => return true,
            }
            false
        })
    }
}

pub(crate) fn what_differs_from_run_to_run_is_masked() {
    let line = "p0       localhost           11624";
    assert_eq!(Mask::Run.apply(line), "p0 localhost PID");
    let line = "  localhost:/tmp/labs-root/20261122-121714-711b/token-ring-0-vm-11624.log";
    assert_eq!(Mask::Run.apply(line), "localhost:.../token-ring-0-vm-PID.log");
    let line = "token-ring run, 5 processes, seed 158339, 0.002 s";
    assert_eq!(Mask::Run.apply(line), "token-ring run, 5 processes, seed SEED, TIME");
}

pub(crate) fn what_is_the_same_each_time_is_compared() {
    let line = "token-ring simulate, 5 processes, seed 1, 0.091 s of virtual time, 0.010 s";
    let masked = "token-ring simulate, 5 processes, seed 1, 0.091 s of virtual time, TIME";
    assert_eq!(Mask::of("token-ring simulate").apply(line), masked);
    let expected = ["a 1".to_owned(), "...".to_owned(), "b 2".to_owned()];
    let missing = |is_ordered, printed| {
        Comparison { mask: Mask::Exact, is_ordered }.first_missing(&expected, printed)
    };
    assert_eq!(missing(true, "a 1\nc\nb  2\n"), None);
    assert_eq!(missing(true, "b 2\na 1\n"), Some(2));
    assert_eq!(missing(false, "b 2\na 1\n"), None);
    assert_eq!(missing(false, "a 1\nb 3\n"), Some(2));
}
