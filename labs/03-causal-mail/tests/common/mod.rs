//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod post;

use causal_mail::correspondence::Correspondence;
use causal_mail::lab::CausalMailLab;
use labs::lab::{Lab, Verb};
use labs::testing::{Program, System};
use labs::verdict::{Property, Verdict};

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_causal-mail"));

pub(crate) const CAUSAL: &str = "causal delivery";
pub(crate) const NOT_HELD: &str = "nothing held without need";
pub(crate) const ONCE: &str = "every mail read exactly once";
pub(crate) const IN_TURN: &str = "written, arrived and read in turn";
pub(crate) const HANDED_OVER: &str = "handed over in order, once";
pub(crate) const STAMPED: &str = "each mail bears what was known";
pub(crate) const FINISHES: &str = "every process finishes once";
pub(crate) const COST: &str = "messages as predicted";

/// What is demanded of users that send to each other without servers, and not by the lab's messages.
pub(crate) fn without_servers(plan: Correspondence) -> Vec<Property> {
    let mut demanded = CausalMailLab::new(plan).properties();
    demanded.retain(|property| ![HANDED_OVER, STAMPED].contains(&property.name.as_str()));
    demanded
}

/// The three correspondents, each with a server of its own, in every order.
pub(crate) fn triangle(options: &str) -> System<CausalMailLab> {
    System::planned(Verb::Check, 6, 1, &format!("--traffic triangle {options}"))
}

/// So many servers, each with so many users, who write so many mails with so many answers to each.
pub(crate) fn random(
    seed: u64,
    [servers, users, mails, answers]: [u32; 4],
    stamps: &str,
) -> System<CausalMailLab> {
    let options = format!(
        "--servers {servers} --users {users} --mails {mails} --answers {answers} --stamps {stamps}"
    );
    System::planned(Verb::Simulate, servers * (users + 1), seed, &options)
}

pub(crate) fn all_hold(verdicts: &[Verdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.holds() == Some(true))
}
