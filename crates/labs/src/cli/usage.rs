//! What is said of a command line that cannot be: clap's message, with the range of a number in words.
//!
//! Of a number that is none, clap hands on what the standard library says ("invalid digit found in string"), and
//! of one that is too large the range as Rust writes it ("not in 0..=4294967295").

use std::error::Error as _;

/// Says what is wrong, and ends the program as clap does: with status 2, or 0 after `--help`.
pub fn exit(error: &clap::Error) -> ! {
    if let Some(message) = in_words(error) {
        crate::said::say(message.trim_end());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// The message, if it can be said better.
fn in_words(error: &clap::Error) -> Option<String> {
    let why = error.source()?.to_string();
    let message = error.render().to_string();
    Some(message.replacen(&why, &reason_in_words(&why)?, 1))
}

fn reason_in_words(why: &str) -> Option<String> {
    let no_number = ["invalid digit found in string", "cannot parse integer from empty string"];
    if no_number.contains(&why) {
        return Some("it takes a whole number".to_owned());
    }
    if why.starts_with("number too ") {
        return Some("that number is too far from zero".to_owned());
    }
    let (_, range) = why.split_once(" is not in ")?;
    let (from, to) = range.split_once("..")?;
    Some(match (to.strip_prefix('='), to) {
        (Some(to), _) => format!("it takes a whole number from {from} to {to}"),
        (None, "") => format!("it takes a whole number, at least {from}"),
        (None, to) => format!("it takes a whole number from {from} to below {to}"),
    })
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, value_parser};

    use super::*;

    fn said(argument: &str) -> String {
        let command = Command::new("lab")
            .allow_negative_numbers(true)
            .arg(Arg::new("any").long("any").value_parser(value_parser!(u32)))
            .arg(Arg::new("few").long("few").value_parser(value_parser!(u32).range(1..=9)))
            .arg(Arg::new("port").long("port").value_parser(value_parser!(u16).range(1..)))
            .arg(Arg::new("size").long("size").value_parser(value_parser!(usize)));
        let error = command.try_get_matches_from(["lab", argument]).unwrap_err();
        in_words(&error).unwrap_or_else(|| error.to_string())
    }

    #[test]
    fn a_range_is_said_in_words() {
        for (argument, words) in [
            ("--any=x", "invalid value 'x' for '--any <any>': it takes a whole number\n"),
            ("--any=", "it takes a whole number"),
            ("--any=1.5", "it takes a whole number"),
            ("--any=-3", "it takes a whole number from 0 to 4294967295"),
            ("--any=99999999999", "it takes a whole number from 0 to 4294967295"),
            ("--any=99999999999999999999", "too far from zero"),
            ("--few=0", "it takes a whole number from 1 to 9"),
            ("--port=0", "it takes a whole number"),
            ("--size=-3", "it takes a whole number"),
        ] {
            let said = said(argument);
            assert!(said.contains(words), "{argument}: {said}");
            for riddle in ["digit", ".."] {
                assert!(!said.contains(riddle), "{argument}: {said}");
            }
        }
    }

    #[test]
    fn all_else_is_said_as_clap_says_it() {
        assert!(said("--none").contains("unexpected argument '--none' found"));
    }
}
