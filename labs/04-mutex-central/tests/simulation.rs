//! Many seeds of the right algorithm, on good networks and under all faults that it bears, and what becomes of it
//! where its assumption does not hold.

mod common;

use std::time::Duration;

use common::{all, simulate};
use labs::lab::{Lab, Prediction};
use labs::simulate::{Chance, Network};
use labs::testing::{System, violated};
use labs::verdict::{Judge, Verdict};
use mutex_central::lab::MutexCentralLab;

fn assert_all_hold(verdicts: &[Verdict], what: &str) {
    assert_eq!(verdicts.len(), 11);
    assert!(verdicts.iter().all(|verdict| verdict.holds() == Some(true)), "{what}: {verdicts:?}");
}

fn count(judge: &Judge, kind: &str) -> u64 {
    judge.messages().get(kind).copied().unwrap_or(0)
}

#[test]
fn every_property_holds_on_a_thousand_seeds() {
    for seed in 0..1_000 {
        let system = all(2 + (seed % 9) as u32, 1 + seed % 6, [seed % 40, 2_000, 500]);
        let run = simulate(&system, seed);
        assert_all_hold(&run.verdicts, &seed.to_string());
        for (kind, predicted) in system.lab.predicted() {
            let measured = Prediction::Exactly(count(&run.judge, &kind));
            assert_eq!(measured, predicted, "{kind}, seed {seed}");
        }
    }
}

/// However long they wait: asking again is told apart from asking.
#[test]
fn three_messages_an_entry_whoever_waits_how_long() {
    let run = simulate(&all(6, 3, [400, 2_000, 100]), 1);
    assert_all_hold(&run.verdicts, "");
    assert_eq!(["REQUEST", "GRANT", "RELEASE"].map(|kind| count(&run.judge, kind)), [15; 3]);
    let trouble = ["RETRY", "WAIT"].map(|kind| count(&run.judge, kind));
    assert!(trouble.iter().all(|&n| n > 50), "{:?}", run.judge.messages());
}

/// What the algorithm bears: clients die, the coordinator dies and starts again, messages are late and lost, and
/// clients stand still for longer than a lease.
fn plan(seed: u64) -> String {
    let at = |salt: u64| (seed * 7 + salt * 131) % 600;
    let victim = 1 + seed % 4;
    let other = 1 + (seed + 1) % 4;
    let down = at(1);
    let rules = [
        format!("kill {victim} at {}ms", at(2)),
        format!("kill 0 at {down}ms; restart 0 at {}ms", down + 1 + at(3)),
        format!("stop {other} from {}ms to {}ms", at(4), at(4) + 1 + at(5) * 4),
        format!("delay 0<->{other} 0ms..{}ms", 1 + seed % 100),
        format!("drop {}%", seed % 20),
        format!("partition 0|{other} from {}ms to {}ms", at(6), at(6) + 1 + at(7)),
        format!("kill 0 at {}ms; restart 0 at {}ms", down + 1_300, down + 1_400),
        "duplicate 10%; reorder 10%".to_owned(),
    ];
    let chosen = rules.iter().enumerate().filter(|(index, _)| seed >> index & 1 == 1);
    chosen.map(|(_, rule)| rule.as_str()).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_property_holds_on_a_thousand_seeds_with_faults() {
    let (mut revoked, mut regranted, mut overlapped) = (0, 0, 0);
    for seed in 0..1_000 {
        let plan = plan(seed);
        let system = all(5, 6, [5 + seed % 50, 100 + seed % 300, 80]).suffering(&plan);
        let run = simulate(&system, seed);
        let is_late = plan.contains("stop") || system.lab.delay_max() <= Some(run.slowest);
        let but_for = if is_late { &["mutual exclusion"][..] } else { &[] };
        let broken = violated(&run.verdicts);
        assert!(
            broken.iter().all(|name| but_for.contains(name)),
            "{seed} under {plan}: {:?}",
            run.verdicts
        );
        overlapped += u64::from(!broken.is_empty());
        revoked += u64::from(run.verdicts[1].detail().contains("revoked"));
        regranted += u64::from(count(&run.judge, "REGRANT") > 0);
    }
    // The faults were felt.
    assert!(revoked > 300 && regranted > 300, "{revoked}, {regranted}");
    assert!(overlapped > 20, "{overlapped}");
}

#[test]
fn a_dead_client_costs_the_others_a_lease_at_the_most() {
    for seed in 0..100 {
        let plan = format!("kill 2 at {}ms", seed * 4);
        let run = simulate(&all(5, 5, [20, 200, 100]).suffering(&plan), seed);
        assert_all_hold(&run.verdicts, &plan);
        assert!(count(&run.judge, "RELEASE") >= 15, "{plan}: {:?}", run.judge.messages());
    }
}

/// Nobody enters while the coordinator is away: if it does not come back, clients give up.
#[test]
fn without_the_coordinator_nobody_enters() {
    let system = all(4, 5, [20, 200, 100]).suffering("kill 0 at 100ms");
    let verdicts = simulate(&system, 1).verdicts;
    assert_eq!(violated(&verdicts), ["every request is served"]);
}

/// The order is that of arrival: who asks first may be heard last.
#[test]
fn channels_that_overtake_and_double_change_nothing() {
    for seed in 0..200 {
        let network = Network { duplication: Chance::percent(10), ..Network::unordered() };
        let verdicts = simulate(&all(5, 4, [3, 500, 50]).on(network), seed).verdicts;
        assert_all_hold(&verdicts, &seed.to_string());
    }
}

/// The assumption is that a process that is stopped is stopped for less than a lease. If it is stopped for longer its
/// section lasts while another begins, and that is what tokens are for.
#[test]
fn a_client_that_sleeps_through_its_lease_leaves_with_a_stale_token() {
    // p2's request is late, so p1 is first.
    let plan = "delay 2->0 30ms; stop 1 from 20ms to 400ms";
    let verdicts = simulate(&all(3, 2, [60, 100, 50]).suffering(plan), 1).verdicts;
    assert_eq!(violated(&verdicts), ["mutual exclusion"], "{verdicts:?}");
    assert!(verdicts[0].detail().starts_with("2 pairs of sections overlap"), "{verdicts:?}");
    assert!(verdicts[1].detail().ends_with("1 grant revoked"), "{verdicts:?}");
}

/// Messages take up to three quarters of a lease, and a quarter is assumed.
#[test]
fn delays_beyond_the_quarter_of_a_lease_overlap_sections() {
    let ms = Duration::from_millis;
    let system = System::<MutexCentralLab>::typed(5, "--work 30 --lease 40");
    let slow = Network { latency: ms(1)..=ms(30), ..Network::default() };
    let run = simulate(&system.on(slow), 1);
    assert_eq!(violated(&run.verdicts), ["mutual exclusion"], "{:?}", run.verdicts);
    assert!(run.slowest > ms(10));
}

/// However long the work: sections overlap only where a message took longer than the lab says.
#[test]
fn within_the_bound_no_lease_is_over_too_early() {
    for seed in 0..500 {
        let work = 1 + seed % 39;
        let options = format!("--work {work} --lease 40 --retry {}", 10 + seed % 50);
        let system = System::<MutexCentralLab>::typed(2 + (seed % 7) as u32, &options);
        let max = system.lab.delay_max().expect("there is a lease");
        let network = Network { latency: Duration::ZERO..=max, ..Network::default() };
        let network = match seed % 3 {
            0 => network,
            1 => Network { loss: Chance::percent(10), ..network },
            _ => Network { fifo: false, duplication: Chance::percent(10), ..network },
        };
        let run = simulate(&system.on(network), seed);
        let is_late = run.slowest >= max;
        assert!(
            is_late || violated(&run.verdicts).is_empty(),
            "{options}, {seed}: {:?}",
            run.verdicts
        );
    }
}
