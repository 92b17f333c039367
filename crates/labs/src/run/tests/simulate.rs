//! Runs of more processes, in which they die, fall silent and start again at random moments.

use std::time::Duration;

use super::world::{Ask, Node, Terms, nodes, rules, wrong_at_any_time, wrong_at_the_end};
use crate::process::{ProcessId, split_mix};
use crate::run::conductor::{Loss, Member};
use crate::simulate::{Ended, Limits, Network, Simulation};

/// Longer than all deadlines of a run together.
const LONG: Duration = Duration::from_secs(600);

/// Before a moment that is drawn: joining, running and handing over take less.
const EARLY: u64 = 150_000;

fn simulation(seed: u64, participants: u32, strikes: &str) -> Simulation<Node> {
    let terms =
        Terms { participants, mistake: None, longest: LONG, watches: true, has_clock: true };
    let network = Network {
        latency: Duration::from_micros(100)..=Duration::from_millis(20),
        fifo: true,
        ..Network::default()
    };
    let nodes = nodes(terms, rules(strikes));
    let mut simulation = Simulation::new(seed, network, nodes, ()).unwrap();
    let launcher = ProcessId(participants);
    for rank in 0..participants {
        simulation.request(launcher, Ask::Started(rank));
    }
    simulation
}

/// Runs to the end. Returns how the launcher saw the run.
fn run(mut simulation: Simulation<Node>, seed: u64) -> String {
    let mut wrong = None;
    loop {
        wrong = wrong.or_else(|| wrong_at_any_time(simulation.processes()));
        if !simulation.advance() {
            break;
        }
        assert!(simulation.now() < LONG, "seed {seed}: the run has no end");
    }
    let is_down = |rank| simulation.is_crashed(ProcessId(rank as u32));
    let wrong = wrong.or_else(|| wrong_at_the_end(simulation.processes(), is_down));
    assert_eq!(wrong, None, "seed {seed}");
    let conductor = simulation.processes().iter().find_map(Node::launcher).unwrap();
    let is_gone = |member: &&Member| member.loss().is_some_and(|loss| loss < Loss::Died);
    let mut problems = conductor.problems.clone();
    problems.extend(conductor.members.iter().filter(is_gone).map(|member| format!("{member:?}")));
    format!("{problems:?}")
}

fn moment(random: &mut u64) -> Duration {
    Duration::from_micros(split_mix(random) % EARLY)
}

#[test]
fn a_quiet_run_comes_to_its_end_without_a_word() {
    for seed in 0..50 {
        let participants = 1 + (seed % 12) as u32;
        assert_eq!(run(simulation(seed, participants, ""), seed), "[]");
    }
}

#[test]
fn whoever_dies_nothing_is_left_behind() {
    for seed in 0..300 {
        let mut random = seed;
        let participants = 2 + (split_mix(&mut random) % 8) as u32;
        let mut simulation = simulation(seed, participants, "");
        for _ in 0..1 + split_mix(&mut random) % 2 {
            let who = ProcessId((split_mix(&mut random) % u64::from(participants + 1)) as u32);
            simulation.request_at(moment(&mut random), who, Ask::Die);
        }
        run(simulation, seed);
    }
}

/// As a machine whose cable is cut: no connection ends, and nobody answers.
#[test]
fn whoever_falls_silent_nothing_else_is_left_behind() {
    for seed in 0..300 {
        let mut random = seed;
        let participants = 2 + (split_mix(&mut random) % 8) as u32;
        let mut simulation = simulation(seed, participants, "");
        let who = ProcessId((split_mix(&mut random) % u64::from(participants + 1)) as u32);
        simulation.crash_at(moment(&mut random), who);
        run(simulation, seed);
    }
}

#[test]
fn a_person_may_press_ctrl_c_at_any_moment() {
    for seed in 0..300 {
        let mut random = seed;
        let participants = 2 + (split_mix(&mut random) % 8) as u32;
        let mut simulation = simulation(seed, participants, "");
        for _ in 0..1 + split_mix(&mut random) % 2 {
            simulation.request_at(moment(&mut random), ProcessId(participants), Ask::Interrupt);
        }
        run(simulation, seed);
    }
}

#[test]
fn participants_that_are_killed_and_restarted_by_plan_finish() {
    for seed in 0..100 {
        let mut random = seed;
        let participants = 2 + (split_mix(&mut random) % 8) as u32;
        let who = split_mix(&mut random) % u64::from(participants);
        let (killed, again) = (split_mix(&mut random) % 30, 30 + split_mix(&mut random) % 50);
        let plan = format!("kill {who} at {killed}ms; restart {who} at {again}ms");
        assert_eq!(run(simulation(seed, participants, &plan), seed), "[]", "{plan}");
    }
}

/// Where the others go on, a participant that starts again waits for nobody that is dead.
#[test]
fn one_may_die_while_another_is_restarted() {
    for seed in 0..200 {
        let mut random = seed;
        let participants = 2 + (split_mix(&mut random) % 8) as u32;
        let who = split_mix(&mut random) % u64::from(participants);
        let other = (who + 1 + split_mix(&mut random) % u64::from(participants - 1))
            % u64::from(participants);
        let (killed, again) = (split_mix(&mut random) % 30, 30 + split_mix(&mut random) % 50);
        let dies = split_mix(&mut random) % 60;
        let plan = format!(
            "kill {who} at {killed}ms; restart {who} at {again}ms; kill {other} at {dies}ms"
        );
        assert_eq!(run(simulation(seed, participants, &plan), seed), "[]", "{plan}");
    }
}

/// As a machine whose cable is cut: nobody knows that it is dead, and it answers no call.
#[test]
fn one_that_starts_again_does_not_wait_for_one_that_is_silent() {
    for seed in 0..100 {
        let mut random = seed;
        let participants = 2 + (split_mix(&mut random) % 8) as u32;
        let who = split_mix(&mut random) % u64::from(participants);
        let silent = (who + 1) % u64::from(participants);
        let plan = format!("kill {who} at 1ms; restart {who} at 30ms");
        let mut simulation = simulation(seed, participants, &plan);
        simulation.crash_at(Duration::from_millis(150), ProcessId(silent as u32));
        run(simulation, seed);
    }
}

/// All that were killed are there again, however their deaths and their new starts overlap.
#[test]
fn several_may_start_again_at_once() {
    for seed in 0..200 {
        let mut random = seed;
        let participants = 3 + (split_mix(&mut random) % 7) as u32;
        let rules: Vec<_> = (0..participants)
            .map(|who| {
                let (killed, again) = (split_mix(&mut random) % 30, split_mix(&mut random) % 50);
                format!("kill {who} at {killed}ms; restart {who} at {}ms", 30 + again)
            })
            .collect();
        let plan = rules.join("; ");
        assert_eq!(run(simulation(seed, participants, &plan), seed), "[]", "{plan}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let events = |seed| {
        let mut simulation = simulation(seed, 5, "");
        let limits = Limits { time: LONG, events: u64::MAX };
        assert!(matches!(simulation.run(limits), Ended::Quiet));
        simulation.events()
    };
    assert_eq!(events(7), events(7));
}
