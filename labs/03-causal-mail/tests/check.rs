//! All orders, for the three correspondents.

mod common;

use causal_mail::causal_mail::Request;
use causal_mail::correspondence::{Correspondence, Planned};
use causal_mail::lab::CausalMailLab;
use causal_mail::short_clocks::{RULES, Rule, ShortClock, one_channel, two_runs};
use common::{CAUSAL, NOT_HELD, ONCE, triangle};
use labs::check::{Channels, Options as Search, Outcome, check};
use labs::process::{Process, ProcessId};
use labs::testing::{ProcessOf, System};

/// All orders, with a power cut of the first server.
fn cut(system: &System<CausalMailLab>, search: &Search) -> Outcome<ProcessOf<CausalMailLab>> {
    let mut requests = system.requests();
    requests[0].push(Request::Restart);
    check(system.processes(), requests, &system.properties, search, |_| ())
}

fn reliable() -> Search {
    Search { timeouts: 0, ..Search::default() }
}

fn assert_holds<P: Process>(outcome: &Outcome<P>) {
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
}

/// Both kinds of stamps have the same behaviour, and all states are pinned.
#[test]
fn every_order_holds() {
    for stamps in ["full", "incremental"] {
        let outcome = triangle(&format!("--stamps {stamps}")).check(&reliable());
        assert_holds(&outcome);
        assert_eq!(outcome.states, 894);
    }
}

/// Without the clock eight deliveries are enough to read the answer first, and FIFO order does not
/// help.
#[test]
fn without_the_clock_an_answer_overtakes() {
    for order in ["none", "fifo", "scalar"] {
        let counterexample = triangle(&format!("--order {order}")).counterexample(&reliable());
        assert_eq!(counterexample.property, CAUSAL);
        assert_eq!(counterexample.steps.len(), 8, "{counterexample}");
    }
}

/// Bob waits for Alice's mail to Carol.
#[test]
fn by_a_vector_a_mail_is_never_read() {
    for property in [NOT_HELD, ONCE] {
        let system = triangle("--order vector").judged_by(property);
        let counterexample = system.counterexample(&reliable());
        assert_eq!(counterexample.property, property);
        assert_eq!(counterexample.steps.len(), 12, "{counterexample}");
    }
    assert_holds(&triangle("--order vector").judged_by(CAUSAL).check(&reliable()));
}

/// The server that forwards both ways loses its power at any moment.
#[test]
fn a_power_cut_at_any_moment_harms_nothing() {
    assert_holds(&cut(&triangle(""), &reliable()));
}

/// Two users, each with a server: a mail and its answer.
fn question_and_answer() -> System<CausalMailLab> {
    let planned =
        |from, to, after| Planned { from: ProcessId(from), to: [ProcessId(to)].into(), after };
    let mails = vec![planned(2, 3, None), planned(3, 2, Some(0))];
    System::new(CausalMailLab::new(Correspondence { servers: 2, users: 2, mails }))
}

/// Any one message is lost, whenever that may be. Where the time-outs are used up and a timer still
/// runs, nothing is decided; nothing is broken either.
#[test]
fn one_lost_message_harms_nothing() {
    let search = Search { losses: 1, timeouts: 1, ..Search::default() };
    let outcome = question_and_answer().check(&search);
    let holds: Vec<_> = outcome.verdicts.iter().map(|verdict| verdict.holds()).collect();
    let (yes, open) = (Some(true), None);
    assert_eq!(holds, [yes, yes, open, yes, yes, yes, open, yes, yes], "{:?}", outcome.verdicts);
    assert!(outcome.verdicts[2].detail().starts_with("not decided at"), "{:?}", outcome.verdicts);
}

/// Any one message is doubled, and the first server loses its power.
#[test]
fn one_doubled_message_and_a_power_cut_harm_nothing() {
    let search = Search { duplicates: 1, timeouts: 0, ..Search::default() };
    assert_holds(&cut(&question_and_answer(), &search));
}

fn short(plan: &Correspondence, rule: Rule, channels: Channels) -> (Option<bool>, Option<String>) {
    let all = (0..4).map(|rank| ShortClock::new(ProcessId(rank), plan, rule)).collect();
    let mut demanded = common::without_servers(plan.clone());
    // These users never say that they have finished.
    demanded.retain(|property| property.name != "every process finishes once");
    let search = Search { channels, timeouts: 0, ..Search::default() };
    let outcome = check(all, vec![Vec::new(); 4], &demanded, &search, |_| ());
    (outcome.holds(), outcome.counterexample.map(|found| found.property))
}

/// No rule by a scalar or a vector clock is right in both runs; the matrix is.
#[test]
fn shorter_clocks_fail_in_one_of_two_runs_that_look_the_same() {
    let runs = two_runs();
    for (name, rule) in RULES {
        let holds = [0, 1].map(|run| short(&runs[run], rule, Channels::Fifo));
        match rule {
            Rule::Matrix => assert!(holds.iter().all(|(holds, _)| *holds == Some(true))),
            Rule::ScalarHurries | Rule::VectorHurries => {
                assert_eq!(holds[0], (Some(false), Some(CAUSAL.to_owned())), "{name}");
                assert_eq!(holds[1], (Some(true), None), "{name}");
            }
            Rule::ScalarWaits | Rule::VectorWaits => {
                assert_eq!(holds[1].0, Some(false), "{name}");
                assert_eq!(holds[1].1.as_deref(), Some(NOT_HELD), "{name}");
            }
        }
    }
}

/// A reader that hurries has FIFO order only where channels have it, by whichever of the two clocks.
#[test]
fn neither_shorter_clock_gives_fifo() {
    let plan = one_channel();
    for rule in [Rule::ScalarHurries, Rule::VectorHurries] {
        assert_eq!(short(&plan, rule, Channels::Fifo).0, Some(true));
        let unordered = short(&plan, rule, Channels::Unordered);
        assert_eq!(unordered, (Some(false), Some(CAUSAL.to_owned())), "{rule:?}");
    }
    assert_eq!(short(&plan, Rule::Matrix, Channels::Unordered).0, Some(true));
}

/// A reader that waits by a vector keeps FIFO order, and reads all only if all is for it.
#[test]
fn a_vector_that_waits_keeps_fifo_and_may_never_read() {
    let [to_carol, to_dave] = two_runs();
    let [one_channel, to_carol, to_dave] = [one_channel(), to_carol, to_dave]
        .map(|plan| short(&plan, Rule::VectorWaits, Channels::Unordered));
    assert_eq!(one_channel.0, Some(true));
    for waits in [to_carol, to_dave] {
        assert_eq!(waits, (Some(false), Some(NOT_HELD.to_owned())));
    }
}
