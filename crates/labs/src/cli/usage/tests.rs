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
