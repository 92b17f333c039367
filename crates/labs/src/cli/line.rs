//! A command line, and the options that come with it unasked: those that the lab usually simulates with, and
//! those without which a mistake does not show. An option that is typed is never replaced.

use std::ffi::OsString;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::command;
use crate::lab::Verb;
use crate::planned::Course;
use crate::report::Brought;

/// A command line that was read.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) matches: ArgMatches,
    pub(super) brought: Vec<Brought>,
}

/// The words of all options that came unasked.
pub(super) fn words(brought: &[Brought]) -> impl Iterator<Item = String> + '_ {
    brought.iter().flat_map(|brought| brought.words.iter().cloned())
}

/// Reads command lines of a lab, one after the other.
pub(super) struct Reader<'a> {
    lab: &'a dyn Course,
    command: clap::Command,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lab: &'a dyn Course) -> Self {
        Self { lab, command: command(lab) }
    }

    /// Reads the words after the name of the program.
    ///
    /// # Errors
    ///
    /// As clap's.
    pub(super) fn read(&mut self, words: &[OsString]) -> Result<Line, clap::Error> {
        let matches = self.matches(words.iter().cloned())?;
        let brought = brought(self.lab, &self.command, &matches);
        if brought.is_empty() {
            return Ok(Line { matches, brought });
        }
        let more = self::words(&brought).map(OsString::from);
        Ok(Line { matches: self.matches(words.iter().cloned().chain(more))?, brought })
    }

    fn matches(
        &mut self,
        words: impl Iterator<Item = OsString>,
    ) -> Result<ArgMatches, clap::Error> {
        let program = OsString::from(self.lab.about().name);
        self.command.try_get_matches_from_mut([program].into_iter().chain(words))
    }
}

/// What comes with these options unasked.
fn brought(lab: &dyn Course, command: &clap::Command, matches: &ArgMatches) -> Vec<Brought> {
    let Some((verb, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = command.find_subcommand(verb) else { return Vec::new() };
    let mistake = lab.needs(matches);
    let of_mistake = mistake.as_ref().map_or(&[][..], |(_, needs)| match verb {
        "run" => needs.run,
        "simulate" => needs.simulate,
        "check" => needs.check,
        _ => &[],
    });
    let usual = if verb == Verb::Simulate.name() { lab.about().usual } else { &[] };
    let by_mistake = mistake.map(|(name, _)| format!("--broken {name}")).unwrap_or_default();
    let pairs = of_mistake.chunks(2).map(|words| (by_mistake.as_str(), words));
    let pairs = pairs.chain(usual.chunks(2).map(|words| (lab.about().name, words)));
    let mut all: Vec<Brought> = Vec::new();
    for (by, words) in pairs {
        let is_brought =
            |brought: &Brought| brought.by != by && brought.words.iter().any(|w| w == words[0]);
        if all.iter().any(is_brought) || is_given(command, matches, words[0]) {
            continue;
        }
        let words = words.iter().map(|word| (*word).to_owned());
        match all.iter_mut().find(|brought| brought.by == by) {
            Some(brought) => brought.words.extend(words),
            None => all.push(Brought { by: by.to_owned(), words: words.collect() }),
        }
    }
    all
}

/// Whether an option stands on the command line.
fn is_given(command: &clap::Command, matches: &ArgMatches, option: &str) -> bool {
    let name = option.trim_start_matches('-');
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    argument.is_some_and(|argument| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    })
}
