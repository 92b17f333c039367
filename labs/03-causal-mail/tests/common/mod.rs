//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod post;

use causal_mail::broken::{Broken, BrokenMailer};
use causal_mail::causal_mail::Mailer;
use causal_mail::correspondence::Correspondence;
use causal_mail::lab::{CausalMailLab, Options};
use causal_mail::ordering::{Order, Stamps};
use labs::lab::Lab;
use labs::testing::Program;
use labs::verdict::Verdict;

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_causal-mail"));

pub(crate) const CAUSAL: &str = "causal delivery";
pub(crate) const NOT_HELD: &str = "nothing held without need";
pub(crate) const ONCE: &str = "every mail read exactly once";

/// The three correspondents, each with a server of its own.
pub(crate) fn triangle(order: Order, stamps: Stamps) -> Options {
    Options::new(Correspondence::triangle(3, 3), order, stamps)
}

/// So many servers, each with so many users, who write so many mails with so many answers to each.
pub(crate) fn random(
    seed: u64,
    [servers, users, mails, answers]: [u32; 4],
    stamps: Stamps,
) -> Options {
    let plan = Correspondence::random(servers, servers * users, mails, answers, seed);
    Options::new(plan, Order::Causal, stamps)
}

pub(crate) fn broken(all: Vec<Mailer>, how: Broken) -> Vec<BrokenMailer> {
    all.into_iter().map(|mailer| CausalMailLab::broken(mailer, &how)).collect()
}

pub(crate) fn all_hold(verdicts: &[Verdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.holds == Some(true))
}
