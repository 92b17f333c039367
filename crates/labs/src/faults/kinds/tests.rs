use std::collections::BTreeMap;
use std::num::NonZero;

use serde::{Deserialize, Serialize};

use super::*;
use crate::process::{Never, ProcessId};

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
enum Message {
    Token {
        lap: u64,
        to: Option<ProcessId>,
        names: Vec<String>,
    },
    Ask(ProcessId, BTreeMap<u32, bool>, Colour),
    Hello,
    #[strum(transparent)]
    Flat(Flat),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
enum Colour {
    Red,
    Green((i8, char), [u16; 3]),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Endless {
    Mark,
    Money(Box<Endless>),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Flat {
    Mark,
    Money(i64),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Choosy {
    Any,
    NotZero(NonZero<u32>),
}

#[test]
fn every_variant_is_found_whatever_is_in_it() {
    let kinds: Vec<_> = kinds_of::<Message>().unwrap().into_iter().collect();
    assert_eq!(kinds, ["ASK", "HELLO", "Mark", "Money", "TOKEN"]);
}

#[test]
fn where_there_is_doubt_there_is_no_list() {
    assert_eq!(kinds_of::<Endless>(), None, "a value that holds itself has no end");
    assert_eq!(kinds_of::<Choosy>(), None, "zero is refused");
    assert_eq!(kinds_of::<Never>(), None);
}
