//! Golden runs, told step by step: see `tests/scripts`.

mod common;

use labs::overlay::ring::Closing;
use labs::script::run_dir;
use token_ring::lab::Options;
use token_ring::token_ring::TokenRing;

#[test]
fn scripts() {
    run_dir::<TokenRing>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"), &[], |opening| {
        let number = |key: &str, default| match opening.arguments.get(key) {
            Some(text) => text.parse().map_err(|_| format!("{key}={text} is no number")),
            None => Ok(default),
        };
        let closing = match opening.arguments.get("closing").map(String::as_str) {
            None | Some("forward") => Closing::Forward,
            Some("first") => Closing::First,
            Some(other) => return Err(format!("closing={other}")),
        };
        let options = Options::new(number("laps", 1)?, number("entries", 1)?, closing);
        let processes = opening.processes;
        Ok((common::ring(processes, &options), common::specs(processes, &options)))
    })
    .unwrap();
}
