use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::wheel::Wheel;
use super::{
    Chance, Ended, Limits, Mishaps, Network, NetworkError, Regions, Simulation, SimulationError,
    Slow,
};
use crate::process::{Context, Kind, Never, Process, ProcessId};
use crate::record::Recorder;
use crate::testing::FileInMemory;
use crate::trace::{Happening, Header, Identity, Meaning, Observer, Passing};
use crate::verdict::{End, Judge, Property};

const P0: ProcessId = ProcessId(0);
const P1: ProcessId = ProcessId(1);

/// What one does to the queue.
#[derive(Clone, Debug)]
enum Act {
    /// Put something in so long after the present.
    Insert(u64),
    /// Take the first out, if it is at most so far away.
    Pop(u64),
    /// Take back one of those inside.
    Remove(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let delay = prop_oneof![Just(0), 0..4_u64, 0..5_000_u64, 0..1_u64 << 20, any::<u64>()];
    let act = prop_oneof![
        3 => delay.clone().prop_map(Act::Insert),
        2 => Just(Act::Pop(u64::MAX)),
        1 => delay.prop_map(Act::Pop),
        1 => any::<usize>().prop_map(Act::Remove),
    ];
    prop::collection::vec(act, 0..400)
}

proptest! {
    /// Against a heap that is told the order of insertion.
    #[test]
    fn the_wheel_is_a_stable_queue(acts in acts()) {
        let mut wheel = Wheel::new();
        let mut heap = BinaryHeap::new();
        let mut keys = Vec::new();
        let mut now = 0_u64;
        for (number, act) in (0_u64..).zip(acts) {
            match act {
                Act::Insert(delay) => {
                    let time = now.saturating_add(delay);
                    keys.push((number, wheel.insert(time, number)));
                    heap.push(Reverse((time, number)));
                }
                Act::Pop(within) => {
                    let until = now.saturating_add(within);
                    let first = heap.pop_if_within(until);
                    prop_assert_eq!(wheel.pop(until), first);
                    match first {
                        Some((time, number)) => {
                            now = time;
                            keys.retain(|&(other, _)| other != number);
                        }
                        // As after a run to a limit of time.
                        None if until < u64::MAX => now = until,
                        None => {}
                    }
                }
                Act::Remove(_) if keys.is_empty() => {}
                Act::Remove(which) => {
                    let (number, key) = keys.swap_remove(which % keys.len());
                    prop_assert_eq!(wheel.remove(key), number);
                    heap.retain(|&Reverse((_, other))| other != number);
                }
            }
            prop_assert_eq!(wheel.len(), heap.len());
        }
        while let Some(Reverse(first)) = heap.pop() {
            prop_assert_eq!(wheel.pop(u64::MAX), Some(first));
        }
        prop_assert_eq!(wheel.pop(u64::MAX), None);
    }
}

trait PopIfWithin {
    fn pop_if_within(&mut self, until: u64) -> Option<(u64, u64)>;
}

impl PopIfWithin for BinaryHeap<Reverse<(u64, u64)>> {
    fn pop_if_within(&mut self, until: u64) -> Option<(u64, u64)> {
        if self.peek()?.0.0 > until { None } else { self.pop().map(|Reverse(first)| first) }
    }
}

/// Sends a volley of numbered messages to everyone else when it is told to, and notes in which order
/// those of others arrive.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Volley {
    arrived: Vec<(ProcessId, u32)>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Shot(u32);

impl From<&Shot> for &'static str {
    fn from(_: &Shot) -> Self {
        "SHOT"
    }
}

impl Process for Volley {
    type Request = Shot;
    type Indication = Shot;
    type Message = Shot;
    type Timer = Never;

    fn on_request(&mut self, ctx: &mut Context<Self>, Shot(shots): Shot) {
        (0..shots).for_each(|shot| ctx.send_to_others(Shot(shot)));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, Shot(shot): Shot) {
        self.arrived.push((from, shot));
        ctx.indicate(Shot(shot));
    }
}

fn volley(network: Network, shots: u32) -> Simulation<Volley, Recorder> {
    let judge = Judge::new(&[Property::fifo(), Property::exactly_once()], 2);
    let recorder = Recorder::new(2, judge);
    let mut simulation = Simulation::new(7, network, vec![Volley::default(); 2], recorder).unwrap();
    simulation.request(P0, Shot(shots));
    assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
    simulation
}

/// Whether the run was FIFO, and whether each message arrived exactly once.
fn verdicts(simulation: &Simulation<Volley, Recorder>) -> [Option<bool>; 2] {
    let verdicts = simulation.observer().judge().verdicts(&End::Complete);
    [verdicts[0].holds(), verdicts[1].holds()]
}

const FAULTY: Network = Network {
    latency: Duration::from_millis(1)..=Duration::from_millis(5),
    loss: Chance::NEVER,
    duplication: Chance::NEVER,
    reordering: Chance::NEVER,
    fifo: false,
    slow: Vec::new(),
    regions: None,
};

#[test]
fn a_reliable_network_delivers_in_order() {
    let simulation = volley(Network::default(), 1_000);
    assert_eq!(verdicts(&simulation), [Some(true), Some(true)]);
    assert_eq!(simulation.process(P1).arrived.len(), 1_000);
}

#[test]
fn a_slow_channel_is_slow_in_its_direction_alone() {
    let time = |slow: &str, from| {
        let channels = slow.parse().unwrap();
        let slow = vec![Slow { channels, by: ms(70)..=ms(70) }];
        let network = Network { slow, latency: ms(2)..=ms(2), ..Network::default() };
        let mut simulation = Simulation::new(7, network, vec![Volley::default(); 2], ()).unwrap();
        simulation.request(from, Shot(1));
        simulation.run(Limits::default());
        simulation.now()
    };
    assert_eq!([time("0->1", P0), time("0->1", P1)], [ms(72), ms(2)]);
    assert_eq!([time("1<->*", P0), time("1->*", P0)], [ms(72), ms(2)]);
}

/// Three processes, the last of them alone in a region far away.
#[test]
fn regions_say_how_long_messages_travel_and_how_many_are_lost() {
    let far_away = r#"{ "about": "near and far", "source": "made up",
        "regions": [{ "name": "near", "share": 2 }, { "name": "far", "share": 1 }],
        "latency_ms": [["1", "50..60"], ["70", "1"]], "loss": [["0%", "50%"], ["0%", "0%"]] }"#;
    let network = || Network {
        regions: Some(Arc::new(Regions::parse(far_away).unwrap())),
        ..Network::default()
    };
    // Each shot goes to both others.
    let fired = |from, shots| {
        let mut simulation = Simulation::new(7, network(), vec![Volley::default(); 3], ()).unwrap();
        simulation.request(from, Shot(shots));
        simulation.run(Limits::default());
        simulation
    };
    let from_near = fired(P0, 1_000);
    assert_eq!(from_near.process(P1).arrived.len(), 1_000, "nothing is lost between the near ones");
    let lost = 1_000 - from_near.process(ProcessId(2)).arrived.len();
    assert!((400..600).contains(&lost), "{lost} of 1000");
    assert!((ms(50)..=ms(60)).contains(&from_near.now()), "{:?}", from_near.now());
    let from_far = fired(ProcessId(2), 10);
    assert_eq!(from_far.process(P0).arrived.len(), 10);
    assert_eq!(from_far.now(), ms(70));
}

#[test]
fn different_latencies_change_the_order() {
    assert_eq!(verdicts(&volley(FAULTY, 10)), [Some(false), Some(true)]);
}

#[test]
fn reordering_alone_changes_the_order() {
    let one = Duration::from_millis(1);
    let steady = Network { latency: one..=one, ..FAULTY };
    assert_eq!(verdicts(&volley(steady.clone(), 100)), [Some(true), Some(true)]);
    let reordering = Network { reordering: Chance::percent(10), ..steady };
    assert_eq!(verdicts(&volley(reordering, 100)), [Some(false), Some(true)]);
}

#[test]
fn loss_loses_its_share() {
    let network = Network { loss: Chance::percent(10), ..Network::default() };
    let simulation = volley(network, 10_000);
    let lost = 10_000 - simulation.process(P1).arrived.len();
    assert!((900..1_100).contains(&lost), "{lost} of 10000");
    assert_eq!(verdicts(&simulation), [Some(true), Some(false)]);
}

#[test]
fn duplication_doubles_its_share() {
    let network = Network { duplication: Chance::percent(10), ..Network::default() };
    let simulation = volley(network, 10_000);
    let doubled = simulation.process(P1).arrived.len() - 10_000;
    assert!((900..1_100).contains(&doubled), "{doubled} of 10000");
    // Both copies keep their place.
    assert_eq!(verdicts(&simulation), [Some(true), Some(false)]);
}

/// What the network says that it did, against what arrived.
#[test]
fn what_the_network_did_is_counted() {
    let half = Network { loss: Chance::percent(50), ..Network::default() };
    let lossy = volley(half, 100);
    let lost = 100 - lossy.process(P1).arrived.len() as u64;
    assert_eq!(lossy.mishaps(), Mishaps { lost, ..Mishaps::default() });

    let doubling = Network { duplication: Chance::percent(50), ..Network::default() };
    let doubling = volley(doubling, 100);
    let doubled = doubling.process(P1).arrived.len() as u64 - 100;
    assert_eq!(doubling.mishaps(), Mishaps { doubled, ..Mishaps::default() });

    for network in [FAULTY, Network { reordering: Chance::percent(5), ..FAULTY }] {
        let unordered = volley(network, 100);
        let arrived: Vec<_> = unordered.process(P1).arrived.iter().map(|(_, n)| *n).collect();
        let overtakes = |(at, n): (usize, &u32)| arrived[at..].iter().any(|later| later < n);
        let overtaking = arrived.iter().enumerate().filter(|&one| overtakes(one)).count() as u64;
        assert!(overtaking > 50, "{overtaking}");
        assert_eq!(unordered.mishaps(), Mishaps { overtaking, ..Mishaps::default() });
    }
}

#[test]
fn that_a_copy_comes_late_overtakes_nothing() {
    let one = volley(Network { duplication: Chance::ALWAYS, ..FAULTY }, 1);
    assert_eq!(one.process(P1).arrived.len(), 2);
    assert_eq!(one.mishaps(), Mishaps { doubled: 1, ..Mishaps::default() });
}

/// What arrives, arrives when it would without loss.
#[test]
fn loss_leaves_the_latencies_alone() {
    let arrivals = |network| {
        let mut times = Vec::new();
        let mut simulation = Simulation::new(7, network, vec![Volley::default(); 2], ()).unwrap();
        simulation.request(P0, Shot(100));
        simulation.run_with(Limits::default(), |simulation, _, shot| {
            times.push((shot, simulation.now()));
        });
        times
    };
    let all = arrivals(FAULTY);
    let some = arrivals(Network { loss: Chance::percent(30), ..FAULTY });
    assert!(some.len() < all.len() && some.iter().all(|arrival| all.contains(arrival)));
}

fn traced(seed: u64) -> Vec<u8> {
    let file = FileInMemory::default();
    let identity = Identity {
        lab: "volley".to_owned(),
        verb: "simulate".to_owned(),
        run: "test".to_owned(),
        processes: 3,
        seed,
    };
    let header = Header::new(identity, Vec::new(), Vec::new(), Meaning::default());
    let recorder = Recorder::writing(&header, Judge::new(&[], 3), Box::new(file.clone())).unwrap();
    let network = Network {
        loss: Chance::percent(5),
        duplication: Chance::percent(5),
        reordering: Chance::percent(5),
        ..FAULTY
    };
    let mut simulation =
        Simulation::new(seed, network, vec![Volley::default(); 3], recorder).unwrap();
    simulation.request_at(Duration::from_millis(2), P1, Shot(20));
    simulation.crash_at(Duration::from_millis(4), ProcessId(2));
    simulation.request(P0, Shot(20));
    simulation.run(Limits::default());
    simulation.into_observer().finish().unwrap();
    file.take()
}

#[test]
fn a_seed_gives_one_trace_byte_by_byte() {
    assert_eq!(traced(7), traced(7));
    assert_ne!(traced(7), traced(8));
}

/// Rings when told to, and lets itself be told otherwise.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Alarm;

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Set {
    In(u64),
    Off,
}

impl Process for Alarm {
    type Request = Set;
    type Indication = Set;
    type Message = Never;
    type Timer = ();

    fn on_request(&mut self, ctx: &mut Context<Self>, set: Set) {
        match set {
            Set::In(millis) => ctx.start_timer((), Duration::from_millis(millis)),
            Set::Off => ctx.stop_timer(()),
        }
    }

    fn on_message(&mut self, _: &mut Context<Self>, _: ProcessId, message: Never) {
        match message {}
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, (): ()) {
        ctx.indicate(Set::Off);
    }
}

/// When the alarm rings, in milliseconds.
fn rings(story: impl FnOnce(&mut Simulation<Alarm>)) -> Vec<u128> {
    let mut simulation = Simulation::new(7, Network::default(), vec![Alarm], ()).unwrap();
    story(&mut simulation);
    let mut times = Vec::new();
    simulation.run_with(Limits::default(), |simulation, _, _| {
        times.push(simulation.now().as_millis());
    });
    assert_eq!(simulation.scheduled(), 0);
    times
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_timer_rings_once() {
    assert_eq!(rings(|alarm| alarm.request(P0, Set::In(30))), [30]);
}

#[test]
fn starting_a_running_timer_restarts_it() {
    let story = |alarm: &mut Simulation<Alarm>| {
        alarm.request(P0, Set::In(30));
        alarm.request_at(ms(20), P0, Set::In(30));
    };
    assert_eq!(rings(story), [50]);
}

#[test]
fn a_stopped_timer_does_not_ring() {
    let story = |alarm: &mut Simulation<Alarm>| {
        alarm.request(P0, Set::In(30));
        alarm.request_at(ms(20), P0, Set::Off);
    };
    assert!(rings(story).is_empty());
}

#[test]
fn the_timers_of_the_dead_do_not_ring() {
    let story = |alarm: &mut Simulation<Alarm>| {
        alarm.request(P0, Set::In(30));
        alarm.crash_at(ms(20), P0);
        alarm.request_at(ms(25), P0, Set::In(1));
        alarm.recover_at(ms(40), P0, Alarm);
        alarm.request_at(ms(41), P0, Set::In(1));
    };
    assert_eq!(rings(story), [42]);
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary(Vec<String>);

impl Diary {
    fn note(&mut self, sign: char, passing: Passing<'_>, size: &str) {
        let Passing { from, to, message, .. } = passing;
        self.0.push(format!("{from} {sign} {to} {}{size}", message.text()));
    }
}

impl Observer for Diary {
    type Carried = ();

    fn on_send(&mut self, message: Passing<'_>) {
        self.note('↗', message, &format!(" {}", message.bytes));
    }

    fn on_receive(&mut self, message: Passing<'_>, (): &()) {
        self.note('→', message, "");
    }

    fn on_drop(&mut self, message: Passing<'_>, (): &()) {
        self.note('⇥', message, "");
    }

    fn on_happening(&mut self, _: u64, process: ProcessId, happening: Happening<'_>) {
        let what = match happening {
            Happening::Init => "starts".to_owned(),
            Happening::Request(request) => format!("? {}", request.text()),
            Happening::Indication(indication) => format!("! {}", indication.text()),
            Happening::Timeout(timer) => format!("⏰ {}", timer.text()),
            Happening::Crash | Happening::Misstep(_) => "crashes".to_owned(),
            Happening::Recover => "recovers".to_owned(),
            Happening::Stop(_) => "stops".to_owned(),
        };
        self.0.push(format!("{process} {what}"));
    }
}

#[test]
fn the_observer_sees_everything_and_the_dead_receive_nothing() {
    let processes = vec![Volley::default(); 2];
    let mut simulation =
        Simulation::new(7, Network::default(), processes, Diary::default()).unwrap().sizes(|_| 5);
    simulation.request(P0, Shot(1));
    simulation.run(Limits::default());
    simulation.request(P0, Shot(1));
    simulation.crash(P1);
    simulation.request(P1, Shot(9));
    simulation.run(Limits::default());
    assert!(simulation.is_crashed(P1));
    let story = [
        "p0 starts",
        "p1 starts",
        "p0 ? Shot(1)",
        "p0 ↗ p1 Shot(0) 5",
        "p0 → p1 Shot(0)",
        "p1 ! Shot(0)",
        "p0 ? Shot(1)",
        "p0 ↗ p1 Shot(0) 5",
        "p1 crashes",
        "p0 ⇥ p1 Shot(0)",
        "p0 stops",
    ];
    assert_eq!(simulation.into_observer().0, story);
}

/// Who receives what, and when, in milliseconds.
fn under(plan: &str, requests: &[(u64, ProcessId, u32)]) -> (Vec<(ProcessId, u32, u128)>, Ended) {
    let one = ms(1);
    let network = Network { latency: one..=one, ..Network::default() };
    let mut simulation = Simulation::new(7, network, vec![Volley::default(); 3], ())
        .and_then(|simulation| simulation.with_faults(&plan.parse().unwrap(), 7))
        .unwrap();
    for &(at, process, shots) in requests {
        simulation.request_at(ms(at), process, Shot(shots));
    }
    let mut seen = Vec::new();
    let ended = simulation.run_with(Limits::default(), |simulation, process, Shot(shot)| {
        seen.push((process, shot, simulation.now().as_millis()));
    });
    (seen, ended)
}

const P2: ProcessId = ProcessId(2);

#[test]
fn a_stopped_process_receives_when_it_is_continued() {
    let (seen, ended) = under("stop 1 from 5ms to 20ms", &[(6, P0, 2)]);
    assert_eq!(seen, [(P2, 0, 7), (P2, 1, 7), (P1, 0, 20), (P1, 1, 20)]);
    assert_eq!(ended, Ended::Quiet);
}

#[test]
fn a_run_that_waits_for_the_stopped_has_not_come_to_its_end() {
    let (seen, ended) = under("stop 1 after 2 SHOT", &[(6, P0, 3)]);
    assert_eq!(seen.iter().filter(|(process, ..)| *process == P1).count(), 1);
    assert_eq!(ended, Ended::Stopped);
    assert!(matches!(ended.end(), End::CutShort(_)));
}

#[test]
fn the_stopped_can_be_killed() {
    let (seen, ended) = under("stop 1 at 5ms; kill 1 at 8ms", &[(6, P0, 1), (9, P2, 1)]);
    assert_eq!(seen, [(P2, 0, 7), (P0, 0, 10)]);
    assert_eq!(ended, Ended::Quiet);
}

#[test]
fn who_is_killed_by_a_message_does_not_receive_it() {
    let (seen, _) = under("kill 1 after 2 SHOT", &[(0, P0, 3)]);
    assert_eq!(seen, [(P1, 0, 1), (P2, 0, 1), (P2, 1, 1), (P2, 2, 1)]);
}

#[test]
fn messages_are_delayed_in_their_order_and_doubled_and_cut_off() {
    let (seen, _) = under("delay 0->1 10ms", &[(0, P0, 2)]);
    assert_eq!(seen, [(P2, 0, 1), (P2, 1, 1), (P1, 0, 11), (P1, 1, 11)]);
    // What is sent after the delay is over still does not overtake.
    let (seen, _) = under("delay 0->1 10ms from 0s to 5ms", &[(0, P0, 1), (6, P0, 1)]);
    assert_eq!(seen, [(P2, 0, 1), (P2, 0, 7), (P1, 0, 11), (P1, 0, 11)]);
    let (seen, _) = under("duplicate 0->1; partition 0|2", &[(0, P0, 1)]);
    assert_eq!(seen, [(P1, 0, 1), (P1, 0, 1)]);
}

#[test]
fn a_message_that_is_held_back_is_overtaken_on_a_fifo_channel() {
    let (seen, _) = under("reorder 0->1 from 0s to 1us", &[(0, P0, 1), (1, P0, 2)]);
    let at_1: Vec<_> = seen.iter().filter(|(process, ..)| *process == P1).collect();
    assert_eq!(at_1, [&(P1, 0, 2), &(P1, 0, 2), &(P1, 1, 2)]);
}

/// Whatever meets on a channel, every message arrives or is seen to be lost.
#[test]
fn no_message_vanishes() {
    for seed in 0..50 {
        let diary = Diary::default();
        let simulation =
            Simulation::new(seed, Network::default(), vec![Volley::default(); 2], diary);
        let plan = "reorder 80%; drop 50%; delay 0ms..3ms".parse().unwrap();
        let mut simulation = simulation.and_then(|s| s.with_faults(&plan, seed)).unwrap();
        simulation.request(P0, Shot(20));
        assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
        let Diary(story) = simulation.into_observer();
        let count = |sign: &str| story.iter().filter(|line| line.contains(sign)).count();
        assert_eq!(count(" ↗ "), 20);
        assert_eq!(count(" → ") + count(" ⇥ "), 20, "{story:?}");
    }
}

#[test]
fn the_timers_of_the_stopped_ring_when_it_is_continued() {
    let plan = "stop 0 from 10ms to 40ms".parse().unwrap();
    let mut simulation = Simulation::new(7, Network::default(), vec![Alarm], ())
        .and_then(|simulation| simulation.with_faults(&plan, 7))
        .unwrap();
    simulation.request(P0, Set::In(30));
    // Asked for while it stands still, and in time: it was first.
    simulation.request_at(ms(20), P0, Set::Off);
    let mut rings = Vec::new();
    simulation.run_with(Limits::default(), |s, _, _| rings.push(s.now().as_millis()));
    assert!(rings.is_empty());
    simulation.request(P0, Set::In(30));
    simulation.run_with(Limits::default(), |s, _, _| rings.push(s.now().as_millis()));
    assert_eq!(rings, [70]);
}

/// A hunt found it: the two arrive at the moment at which the process is continued.
#[test]
fn what_waited_comes_before_what_arrives_when_it_goes_on() {
    let plan = "stop 1 from 5ms to 10ms".parse().unwrap();
    let latency = ms(4)..=ms(4);
    let network = Network { latency, ..Network::default() };
    let recorder = Recorder::new(2, Judge::new(&[Property::fifo(), Property::exactly_once()], 2));
    let mut simulation = Simulation::new(7, network, vec![Volley::default(); 2], recorder)
        .and_then(|simulation| simulation.with_faults(&plan, 7))
        .unwrap();
    for at in 1..=6 {
        simulation.request_at(ms(at), P0, Shot(1));
    }
    assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
    assert_eq!(simulation.process(P1).arrived.len(), 6);
    assert_eq!(verdicts(&simulation), [Some(true), Some(true)]);
}

/// What is asked for in time that has passed happens now.
#[test]
fn a_run_to_a_limit_of_time_lets_it_pass() {
    let mut simulation = Simulation::new(7, Network::default(), vec![Alarm], ()).unwrap();
    simulation.request(P0, Set::In(100));
    let to = |time| Limits { time, ..Limits::default() };
    assert_eq!(simulation.run(to(ms(50))), Ended::TimeLimit(ms(50)));
    assert_eq!(simulation.now(), ms(50));
    simulation.request_at(ms(20), P0, Set::In(10));
    let mut rings = Vec::new();
    simulation.run_with(Limits::default(), |s, _, _| rings.push(s.now().as_millis()));
    assert_eq!(rings, [60]);
}

#[test]
fn limits_stop_a_run_which_can_go_on() {
    let mut simulation = Simulation::new(7, FAULTY, vec![Volley::default(); 2], ()).unwrap();
    simulation.request(P0, Shot(10));
    let events = simulation.events();
    let limits = Limits { events: events + 3, ..Limits::default() };
    assert_eq!(simulation.run(limits), Ended::EventLimit(events + 3));
    assert_eq!(simulation.process(P1).arrived.len(), 3);
    let limits = Limits { time: simulation.now(), ..Limits::default() };
    assert_eq!(simulation.run(limits), Ended::TimeLimit(limits.time));
    assert!(matches!(Ended::TimeLimit(limits.time).end(), End::CutShort(_)));
    simulation.request(P0, Shot(1));
    assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
    assert_eq!(simulation.process(P1).arrived.len(), 11);
}

#[test]
fn impossible_networks_are_refused() {
    let error = |network: Network| {
        Simulation::new(7, network, vec![Volley::default()], ()).map(|_| ()).unwrap_err()
    };
    let backwards = Network { latency: ms(5)..=ms(1), ..FAULTY };
    assert_eq!(error(backwards), SimulationError::Network(NetworkError::Latency(ms(5), ms(1))));
    let slow = Network { latency: ms(5)..=Duration::MAX, ..FAULTY };
    assert_eq!(error(slow), SimulationError::Network(NetworkError::TooSlow(Duration::MAX)));
    let both = Network { reordering: Chance::percent(1), ..Network::default() };
    assert_eq!(error(both), SimulationError::Network(NetworkError::OrderedAndNot));
}

#[test]
fn chances_are_read_exactly() {
    let read = |text: &str| text.parse::<Chance>().ok();
    assert_eq!(read("10%"), Some(Chance::percent(10)));
    assert_eq!(read("0.05%"), Some(Chance::parts_per_million(500)));
    assert_eq!(read("100%"), Some(Chance::ALWAYS));
    let nonsense = [
        "10",
        "%",
        "",
        "101%",
        "-1%",
        "+1%",
        "1.00001%",
        ".5%",
        "5.%",
        "100.0001%",
        "99999999999%",
    ];
    for text in nonsense {
        assert_eq!(read(text), None, "{text}");
    }
}

/// Counts what its application tells it, and has every second count on stable storage.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Keeper {
    count: u32,
    stored: u32,
}

impl Process for Keeper {
    type Request = Shot;
    type Indication = Shot;
    type Message = Shot;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.indicate(Shot(self.count));
    }

    fn on_request(&mut self, _: &mut Context<Self>, _: Shot) {
        self.count += 1;
        self.stored = self.count / 2 * 2;
    }

    fn on_message(&mut self, _: &mut Context<Self>, _: ProcessId, _: Shot) {}

    fn recovered(&self) -> Option<Self> {
        Some(Self { count: self.stored, stored: self.stored })
    }
}

#[test]
fn who_is_started_again_begins_with_what_was_stored() {
    let plan = "kill 0 at 10ms; restart 0 at 20ms".parse().unwrap();
    let mut simulation = Simulation::new(7, Network::default(), vec![Keeper::default()], ())
        .and_then(|simulation| simulation.with_faults(&plan, 7))
        .unwrap();
    for at in [1, 2, 3, 15, 30] {
        simulation.request_at(ms(at), P0, Shot(0));
    }
    let mut told = Vec::new();
    let ended = simulation.run_with(Limits::default(), |s, _, Shot(count)| {
        told.push((s.now().as_millis(), count));
    });
    assert_eq!(ended, Ended::Quiet);
    // Of three before the death two were stored, and what was asked of the dead is lost.
    assert_eq!(told, [(0, 0), (20, 2)]);
    assert_eq!(simulation.process(P0).count, 3);
    assert_eq!([0, 1].map(|rule| simulation.toll().of(rule)), [1, 1]);
}

#[test]
fn who_keeps_nothing_cannot_start_again() {
    let plan = "kill 0 at 10ms; restart 0 at 20ms".parse().unwrap();
    let error = Simulation::new(7, Network::default(), vec![Volley::default()], ())
        .and_then(|simulation| simulation.with_faults(&plan, 7))
        .unwrap_err();
    assert!(error.to_string().contains("nothing of p0 outlives it"), "{error}");
}
