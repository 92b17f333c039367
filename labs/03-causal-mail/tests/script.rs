//! Golden runs, told step by step: `tests/scripts` for the algorithm, `tests/counterexamples` for
//! clocks that are too short.

mod common;

use causal_mail::causal_mail::Request;
use causal_mail::lab::CausalMailLab;
use causal_mail::short_clocks::{RULES, ShortClock, one_channel, two_runs};
use labs::process::ProcessId;
use labs::script::run_dir;
use labs::testing::run_scripts;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn scripts() {
    run_scripts::<CausalMailLab>(&format!("{HERE}/tests/scripts"), "", &[Request::Restart]);
}

/// Alice is p0, Bob p1, Carol p2, Dave p3. `first=carol` or `first=dave` says for whom Alice's
/// first mail is; with `first=both` she writes two mails to Carol, and nothing else happens.
#[test]
fn clocks_that_are_too_short() {
    run_dir::<ShortClock>(format!("{HERE}/tests/counterexamples"), &[], |opening| {
        let argument = |key: &str| opening.arguments.get(key).map(String::as_str);
        let rule = argument("rule").ok_or("rule=matrix is missing")?;
        let rule = RULES.iter().find(|(name, _)| *name == rule).ok_or("no such rule")?.1;
        let [to_carol, to_dave] = two_runs();
        let plan = match argument("first") {
            Some("carol") => to_carol,
            Some("dave") => to_dave,
            Some("both") => one_channel(),
            other => return Err(format!("first={other:?}: carol, dave or both")),
        };
        let all = (0..4).map(|rank| ShortClock::new(ProcessId(rank), &plan, rule)).collect();
        Ok((all, common::without_servers(plan)))
    })
    .unwrap();
}
