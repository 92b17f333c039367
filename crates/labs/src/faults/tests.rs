use std::time::Duration;

use super::{Action, Assumption, Fate, Injector, Plan, Timed, Toll, Triggers, with_delay};
use crate::process::ProcessId;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn plan(text: &str) -> Plan {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Every form that there is, as it is written again.
#[test]
fn a_plan_is_read_and_written() {
    let forms = [
        ("delay 0->1 200ms", "delay 0->1 200ms"),
        ("delay 1.5s..2s", "delay 1500ms..2s"),
        ("drop 0->1 10%", "drop 0->1 10%"),
        ("drop p0->* 0.5% from 2s to 5s", "drop 0->* 0.5% from 2s to 5s"),
        ("duplicate", "duplicate"),
        ("duplicate 100%", "duplicate"),
        ("reorder 1->2 at 50us", "reorder 1->2 from 50us"),
        ("reorder 0,1<->2 after 3 TOKEN", "reorder 0,1<->2 after 3 TOKEN"),
        ("partition 0,1|2,3|4 from 1m", "partition 0,1|2,3|4 from 60s"),
        ("stop 3 from 2s to 5s", "stop 3 from 2s to 5s"),
        ("continue 3 at 2s", "continue 3 at 2s"),
        ("kill 3", "kill 3"),
        ("restart 3 at 5s", "restart 3 at 5s"),
        ("kill 3 after 1 ELECTION", "kill 3 after 1 ELECTION"),
    ];
    for (text, written) in forms {
        assert_eq!(plan(text).to_string(), written);
        assert_eq!(plan(written), plan(text), "{text}");
    }
    let together: Vec<_> = forms.iter().map(|(text, _)| *text).collect();
    assert_eq!(plan(&together.join(";\n # a comment; drop\n")).rules().len(), forms.len());
    assert!(plan(" ;; # nothing").is_empty());
    assert!(plan("none").is_empty());
}

#[test]
fn what_is_no_plan_is_refused() {
    for (text, why) in [
        ("explode 3", "is no fault"),
        ("none; kill 3", "is no fault"),
        ("drop 0->1 110%", "is no chance"),
        ("drop 0->x", "not the number of a process"),
        ("drop 0->1 10% 2s", "here stands `at`"),
        ("delay 0->1", "a time"),
        ("delay 5s..2s", "empty range"),
        ("delay 2h", "is no time"),
        ("delay 999999s", "longer than any run"),
        ("delay ..s", "is no time"),
        ("stop", "the number of a process"),
        ("stop 3 from 5s to 2s", "ends before it begins"),
        ("stop 3 from 0s to 0s", "ends when it begins"),
        ("drop from 2s to 2000ms", "ends when it begins"),
        ("stop 3 after 0 TOKEN", "no number of messages"),
        ("stop 3 after 1", "a kind of messages"),
        ("stop 3 at 2s now", "too much"),
        ("partition 0,0|1", "named twice"),
        ("stop 4294967296", "not the number"),
        ("kill +3", "not the number"),
    ] {
        let error = text.parse::<Plan>().expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let many = "drop;".repeat(super::RULES_MAX + 1);
    assert!(many.parse::<Plan>().unwrap_err().to_string().contains("at most"));
}

#[test]
fn what_cannot_be_is_refused() {
    for (text, why) in [
        ("kill 4", "there is no p4"),
        ("drop 0->4", "there is no p4"),
        ("partition 0,1", "two sides"),
        ("partition 0,1|1,2", "p1 is on two sides"),
        ("continue 3 at 2s", "not stopped"),
        ("stop 3 at 1s; stop 3 at 2s", "stopped already"),
        ("kill 3 at 1s; stop 3 at 2s", "dead by then"),
        ("kill 3 at 1s; kill 3 at 2s", "dead by then"),
        ("kill 3 from 1s to 2s", "at one time"),
        ("restart 3 at 2s", "not dead then"),
        ("kill 3 at 1s; restart 3", "at which time"),
        ("kill 3 at 1s; restart 3 after 2 TOKEN", "counts nothing"),
        ("kill 3 at 1s; restart 3 at 2s; restart 3 at 3s", "not dead then"),
        ("kill 3 at 3s; restart 3 at 2s", "not dead then"),
        ("stop 3 after 2 TOKEN; continue 3 after 4 TOKEN", "counts nothing"),
    ] {
        let error = plan(text).validate(4).expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    for text in [
        "stop 3 at 1s; continue 3 at 2s; stop 3 at 3s; kill 3 at 4s",
        "stop 3 after 2 TOKEN; continue 3 at 5s",
        "kill 3 at 1s; restart 3 at 2s; kill 3 at 3s; restart 3 at 4s",
        "kill 3 after 2 TOKEN; restart 3 at 5s",
        "partition 0|1,2; drop 3->*",
        "stop 1 from 1ms to 2ms; stop 1 from 2ms to 3ms",
    ] {
        assert_eq!(plan(text).validate(4), Ok(()), "{text}");
    }
}

#[test]
fn what_happens_to_processes_is_in_the_order_of_time() {
    let timed = |at, process, action, rule| {
        let is_end = action == Action::Continue;
        Timed { at: ms(at), process: ProcessId(process), action, rule, is_end }
    };
    assert_eq!(
        plan("kill 1 at 3s; stop 3 from 2s to 5s; drop; kill 0 after 3 TOKEN; stop 2").timed(),
        [
            timed(0, 2, Action::Stop, 4),
            timed(2_000, 3, Action::Stop, 1),
            timed(3_000, 1, Action::Kill, 0),
            timed(5_000, 3, Action::Continue, 1),
        ]
    );
}

#[test]
fn a_process_is_struck_when_the_message_reaches_it() {
    let plan = plan("stop 0 after 2 TOKEN; kill 0 after 4 TOKEN; kill 1 at 2s");
    let mut triggers = plan.triggers(ProcessId(0), &[]);
    assert!(plan.triggers(ProcessId(1), &[]).is_empty() && !triggers.is_empty());
    assert_eq!((triggers.count("TOKEN"), triggers.count("OTHER")), (None, None));
    assert_eq!(triggers.count("TOKEN"), Some((Action::Stop, 0)));
    triggers.uncount("TOKEN");
    assert_eq!((triggers.count("TOKEN"), triggers.count("TOKEN")), (None, None));
    assert_eq!(triggers.count("TOKEN"), Some((Action::Kill, 1)));
    assert!(triggers.is_empty());
    // A process that starts again is not struck twice by one rule.
    assert_eq!(plan.triggers(ProcessId(0), &[0, 1]), Triggers::default());
}

#[test]
fn a_kill_and_a_stop_at_one_message_is_a_kill() {
    let plan = plan("kill 0 after 2 TOKEN; stop 0 after 2 TOKEN; stop 0 after 2 OTHER");
    let mut triggers = plan.triggers(ProcessId(0), &[]);
    assert_eq!(triggers.count("TOKEN"), None);
    assert_eq!(triggers.count("TOKEN"), Some((Action::Kill, 0)));
    assert_eq!((triggers.count("TOKEN"), triggers.count("OTHER")), (None, None));
}

#[test]
fn the_broken_assumptions_are_named_with_what_breaks_them() {
    let plan = plan("reorder 1->2; drop 10%; partition 0|1; drop; stop 3 from 1s to 2s");
    let mut toll = Toll::default();
    toll.add(0, 3);
    toll.add(1, 1);
    toll.add(2, 7);
    assert_eq!(
        plan.broken(&[Assumption::Fifo, Assumption::Reliable, Assumption::BoundedDelay], &toll, 9),
        ["FIFO (reorder 1->2)", "reliable channels (drop 10%; partition 0|1)"]
    );
}

/// p1 is back before p2 dies; p3 dies by a message, at a time that nobody knows.
#[test]
fn a_majority_lives_unless_half_are_dead_at_once() {
    let plan =
        plan("kill 1 at 1s; restart 1 at 2s; kill 2 at 3s; kill 3 after 2 TOKEN; kill 0 at 4s");
    let mut toll = Toll::default();
    let mut broken = |rules: &[usize], processes| {
        rules.iter().for_each(|&rule| toll.add(rule, 1));
        plan.broken(&[Assumption::MajorityLives], &toll, processes)
    };
    assert_eq!(broken(&[0, 1, 2], 4), [""; 0], "never two at once");
    assert_eq!(broken(&[], 2), ["at most a minority is down (kill 1 at 1s; kill 2 at 3s)"]);
    assert_eq!(broken(&[3], 5), [""; 0], "two of five");
    let three = "at most a minority is down (kill 1 at 1s; kill 2 at 3s; kill 3 after 2 TOKEN; kill 0 at 4s)";
    assert_eq!(broken(&[4], 6), [three]);
    assert_eq!(broken(&[], 7), [""; 0]);
}

fn fate(injector: &mut Injector, at: u64, from: u32, to: u32) -> Fate {
    injector.fate(ms(at), ProcessId(from), ProcessId(to), "TOKEN")
}

#[test]
fn rules_strike_their_channels_in_their_time() {
    let mut injector = Injector::new(
        &plan("drop 0->1 from 2s to 5s; delay 1<->2 20ms; duplicate *->2; reorder 2->*"),
        7,
    );
    let lost = |injector: &mut _, at| fate(injector, at, 0, 1).is_lost;
    assert!(!lost(&mut injector, 1_999) && lost(&mut injector, 2_000));
    assert!(lost(&mut injector, 4_999) && !lost(&mut injector, 5_000));
    assert!(!fate(&mut injector, 3_000, 1, 0).is_lost);
    let to_2 = fate(&mut injector, 0, 1, 2);
    assert_eq!(to_2, Fate { delay: ms(20), is_doubled: true, ..Fate::default() });
    let from_2 = fate(&mut injector, 0, 2, 1);
    assert_eq!(from_2, Fate { delay: ms(20), overtaken_by: Some(3), ..Fate::default() });
    let toll = [0, 1, 2, 3].map(|rule| injector.toll().of(rule));
    assert_eq!(toll, [2, 2, 1, 0]);
    injector.overtaken(3);
    assert_eq!(injector.toll().of(3), 1);
}

#[test]
fn a_partition_cuts_its_sides_from_each_other_and_nobody_else() {
    let mut injector = Injector::new(&plan("partition 0,1|2"), 7);
    let mut lost = |from, to| fate(&mut injector, 0, from, to).is_lost;
    assert!(lost(0, 2) && lost(2, 1));
    assert!(!lost(0, 1) && !lost(0, 3) && !lost(3, 2));
}

/// Each sender counts its own messages on the channels of the rule, and those of the kind only.
#[test]
fn after_three_the_fourth_is_the_first_that_suffers() {
    let mut injector = Injector::new(&plan("drop *->1 after 3 TOKEN"), 7);
    let mut lost =
        |from, to, kind| injector.fate(ms(0), ProcessId(from), ProcessId(to), kind).is_lost;
    assert!(!lost(0, 1, "TOKEN") && !lost(0, 1, "TOKEN") && !lost(0, 1, "OTHER"));
    assert!(!lost(0, 2, "TOKEN") && !lost(3, 1, "TOKEN"));
    assert!(!lost(0, 1, "TOKEN"));
    assert!(lost(0, 1, "OTHER") && lost(0, 1, "TOKEN") && !lost(3, 1, "TOKEN"));
}

#[test]
fn chances_and_delays_are_drawn_from_the_seed() {
    let fates = |seed| {
        let mut injector = Injector::new(&plan("drop 20%; delay 0ms..10ms"), seed);
        (0..1_000).map(|_| fate(&mut injector, 0, 0, 1)).collect::<Vec<_>>()
    };
    assert_eq!(fates(7), fates(7));
    assert_ne!(fates(7), fates(8));
    let lost = fates(7).iter().filter(|fate| fate.is_lost).count();
    assert!((150..250).contains(&lost), "{lost} of 1000");
    assert!(fates(7).iter().all(|fate| fate.delay <= ms(10)));
    assert!(fates(7).iter().any(|fate| fate.delay > ms(9)));
}

#[test]
fn a_message_that_overtakes_is_not_overtaken() {
    let mut injector = Injector::new(&plan("reorder"), 7);
    let mut held = |to| fate(&mut injector, 0, 0, to).overtaken_by.is_some();
    assert_eq!([held(1), held(1), held(2), held(1), held(1)], [true, false, true, true, false]);
}

#[test]
fn a_slow_message_breaks_bounded_delay_where_that_is_assumed() {
    let (ms, assumed) = (Duration::from_millis, [Assumption::BoundedDelay]);
    let broken =
        |assumed: &[Assumption], max, slowest| with_delay(Vec::new(), assumed, max, slowest);
    let said = "bounded delay (a message took 10.0ms, and less than 10.0ms is assumed)";
    assert_eq!(broken(&assumed, Some(ms(10)), ms(10)), [said]);
    assert_eq!(broken(&assumed, Some(ms(10)), ms(9)), [""; 0]);
    assert_eq!(broken(&assumed, None, ms(10)), [""; 0]);
    assert_eq!(broken(&[], Some(ms(10)), ms(10)), [""; 0]);
    let by_plan = vec!["bounded delay (stop 1 at 1s)".to_owned()];
    assert_eq!(with_delay(by_plan.clone(), &assumed, Some(ms(10)), ms(20)), by_plan);
}

#[test]
fn a_process_that_starts_again_is_no_crash_and_loses_messages() {
    let plan: Plan = "kill 1 at 5ms; restart 1 at 9ms".parse().unwrap();
    let (no_crash, reliable) = (&[Assumption::NoCrash], &[Assumption::Reliable]);
    let mut toll = Toll::default();
    toll.add(0, 1);
    // It ended before the restart.
    assert_eq!(plan.broken(no_crash, &toll, 3), ["no crash (kill 1 at 5ms)"]);
    assert_eq!(plan.dead_for_good(&toll).len(), 1);
    toll.add(1, 1);
    assert_eq!(plan.broken(no_crash, &toll, 3), [""; 0]);
    assert_eq!(plan.broken(reliable, &toll, 3), ["reliable channels (kill 1 at 5ms)"]);
    assert!(plan.dead_for_good(&toll).is_empty());
}
