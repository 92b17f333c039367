//! Many seeds of the right protocols, going on from what they recorded, and what becomes of them where
//! their assumptions do not hold.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chandy_lamport::checkpoint::Checkpoint;
use chandy_lamport::snapshot::{Indication, Part};
use chandy_lamport::wave::Wave;
use chandy_lamport::work::Work;
use common::{CHANNELS, CUT, EVERY_WAVE, Recording, TOTAL, at_rest, hold, of, resumed};
use labs::clocks::Vector;
use labs::lab::{Lab, Prediction, Verb};
use labs::process::{Process, ProcessId};
use labs::record::Recorder;
use labs::simulate::{Chance, Ended, Limits, Network, Simulation};
use labs::testing::{System, violated};
use labs::trace::{Happening, Observer, Passing};
use labs::verdict::{Judge, Property, Verdict, Witness};

const PROTOCOLS: [&str; 2] = ["chandy-lamport", "blocking"];

/// Systems that differ from seed to seed in all that there is but the protocol.
fn various(seed: u64, protocol: &str) -> Recording {
    let processes = 2 + (seed % 6) as u32;
    let last = format!("0,{}", processes - 1);
    let pick = |n: u64, among: &[&'static str]| among[(seed / n) as usize % among.len()];
    let words = [
        "--protocol",
        protocol,
        pick(2, &["--application bank", "--application bank", "--application counter"]),
        pick(3, &["--waves 1", "--waves 2", "--waves 3"]),
        // Several waves at once, or one after the other.
        pick(5, &["--every 1", "--every 7", "--every 40"]),
        pick(7, &["--tick 1", "--tick 3", "--tick 20"]),
        "--initiators",
        if seed.is_multiple_of(11) { "0" } else { &last },
    ];
    System::typed(processes, &words.join(" "))
}

/// From a network as even as one machine to one where a message takes longer than three waves.
fn network(seed: u64) -> Network {
    let longest = [0, 2, 5, 30][seed as usize / 13 % 4];
    Network { latency: Duration::ZERO..=Duration::from_millis(longest), ..Network::default() }
}

fn assert_as_predicted(judge: &Judge, lab: &impl Lab) {
    for (kind, predicted) in lab.predicted() {
        let measured = judge.messages().get(&kind).copied().unwrap_or(0);
        assert_eq!(Prediction::Exactly(measured), predicted, "{kind} of {lab:?}");
    }
}

/// What the assumptions allow: messages that are late, and processes that stand still for a while.
const FAULTS: [&str; 4] = [
    "",
    "delay 0->1 60ms",
    "delay 3ms..30ms from 20ms to 80ms; stop 1 from 10ms to 90ms",
    "stop 0 from 45ms to 200ms",
];

#[test]
fn every_property_holds_on_a_thousand_seeds_of_each_protocol() {
    for protocol in PROTOCOLS {
        let mut in_transit = 0;
        for seed in 0..1_000 {
            let faults = FAULTS[seed as usize / 17 % 4];
            let system = various(seed, protocol).on(network(seed)).suffering(faults);
            let run = at_rest(&system, seed);
            assert!(hold(&run.verdicts), "{seed} {:?}: {:?}", system.lab, run.verdicts);
            assert_as_predicted(&run.judge, &system.lab);
            let detail = of(&run.verdicts, CHANNELS).detail();
            in_transit += u64::from(!detail.starts_with("0 messages"));
        }
        // Otherwise nothing was shown of channel states.
        assert!(in_transit > 700, "{protocol}: {in_transit}");
    }
}

/// Processes of this lab, with a mistake or without.
trait Recorded: Process<Indication = Indication<Work>> {}

impl<P: Process<Indication = Indication<Work>>> Recorded for P {}

/// What all processes recorded in one wave of a simulated run: the last that any process completed.
fn recorded(seed: u64, all: Vec<impl Recorded>) -> Vec<Checkpoint> {
    let processes = all.len() as u32;
    let simulation = Simulation::new(seed, network(seed), all, ()).unwrap();
    let mut simulation = simulation.keeping_indications();
    assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
    let mut waves: BTreeMap<Wave, BTreeMap<ProcessId, Checkpoint>> = BTreeMap::new();
    for (process, indication) in simulation.indications() {
        if let Indication::Recorded(Part { recording: Some(recording), .. }) = indication {
            let of = Checkpoint::new(&recording, process, processes, "test".to_owned());
            waves.entry(of.wave).or_default().insert(process, of);
        }
    }
    let (_, last) = waves.pop_last().unwrap();
    assert_eq!(last.len(), processes as usize);
    last.into_values().collect()
}

/// The verdicts on a simulated run of these processes.
fn judged(
    seed: u64,
    network: Network,
    all: Vec<impl Recorded>,
    demanded: &[Property],
) -> Vec<Verdict> {
    let n = all.len() as u32;
    let recorder = Recorder::new(n, Judge::new(demanded, n));
    let mut simulation = Simulation::new(seed, network, all, recorder).unwrap();
    let ended = simulation.run(Limits::default());
    assert_eq!(ended, Ended::Quiet, "seed {seed}");
    simulation.into_observer().finish().unwrap().verdicts(&ended.end())
}

/// The money of a recorded global state, and how many messages are in transit in it.
fn totals(checkpoints: &[Checkpoint]) -> (u64, usize) {
    let under_way = checkpoints.iter().flat_map(|c| c.channels.values()).map(Vec::len).sum();
    (checkpoints.iter().map(Checkpoint::worth).sum(), under_way)
}

#[test]
fn a_run_goes_on_from_what_was_recorded_again_and_again() {
    let mut received_again = 0;
    for seed in 0..200 {
        let protocol = PROTOCOLS[seed as usize % 2];
        let words = format!("--protocol {protocol} --every 3 --tick 1 --initiators 0,2");
        let mut checkpoints = recorded(seed, Recording::typed(4, &words).processes());
        for generation in 1..=3 {
            let (total, under_way) = totals(&checkpoints);
            assert_eq!(total, 400, "{seed}");
            received_again += under_way;
            let (lab, all) = resumed(Verb::Simulate, &words, checkpoints);
            let verdicts = judged(seed, network(seed), all.clone(), &lab.demanded());
            assert!(hold(&verdicts), "{seed}: {verdicts:?}");
            let total = of(&verdicts, TOTAL).detail();
            assert!(total.starts_with("400 in each of"), "{total}");
            checkpoints = recorded(seed + generation, all);
        }
    }
    assert!(received_again > 1_000, "{received_again}");
}

/// A process that does not receive again what was in transit to it loses it.
#[test]
fn what_was_in_transit_must_be_received_again() {
    let words = "--every 3 --tick 1";
    let checkpoints = recorded(3, Recording::typed(4, words).processes());
    let (total, under_way) = totals(&checkpoints);
    assert!(total == 400 && under_way > 0, "{under_way}");
    let mut forgotten = checkpoints.clone();
    for checkpoint in &mut forgotten {
        checkpoint.channels.values_mut().for_each(Vec::clear);
    }
    let (_, forgetful) = resumed(Verb::Simulate, words, forgotten);
    let (lab, _) = resumed(Verb::Simulate, words, checkpoints);
    let verdicts = judged(3, Network::default(), forgetful, &lab.demanded());
    assert_eq!(violated(&verdicts), [TOTAL]);
}

/// Without FIFO the marker divides nothing.
#[test]
fn without_fifo_cuts_and_channel_states_are_wrong() {
    let mut broken = BTreeMap::new();
    for seed in 0..100 {
        for protocol in PROTOCOLS {
            let words = format!("--protocol {protocol} --every 10 --tick 1");
            let system = System::typed(5, &words).on(Network::unordered());
            let verdicts = at_rest(&system, seed).verdicts;
            for name in violated(&verdicts) {
                *broken.entry((protocol, name.to_owned())).or_insert(0) += 1;
            }
        }
    }
    let times = |protocol, name: &str| broken.get(&(protocol, name.to_owned())).copied();
    assert!(times("chandy-lamport", CUT) > Some(80), "{broken:?}");
    assert!(times("chandy-lamport", CHANNELS) > Some(80), "{broken:?}");
    assert!(times("chandy-lamport", TOTAL) > Some(80), "{broken:?}");
    // A blocked process sends again when all others are cut, and so nothing can overtake its marker; but
    // what it sent before can be late.
    assert_eq!(times("blocking", CUT), None, "{broken:?}");
    assert!(times("blocking", CHANNELS) > Some(95), "{broken:?}");
}

#[test]
fn a_lost_marker_leaves_its_wave_incomplete_and_a_doubled_message_makes_money() {
    let system = |network| System::typed(4, "--every 10 --tick 1 --messages 50").on(network);
    let losing = Network { loss: Chance::percent(20), ..Network::default() };
    let doubling = Network { duplication: Chance::percent(20), ..Network::default() };
    let (losing, doubling) = (system(losing), system(doubling));
    let (mut incomplete, mut made) = (0, 0);
    for seed in 0..50 {
        let is_violated = |system, name| of(&at_rest(system, seed).verdicts, name).is_violated();
        incomplete += u32::from(is_violated(&losing, EVERY_WAVE));
        made += u32::from(is_violated(&doubling, TOTAL));
    }
    assert_eq!((incomplete, made), (50, 50));
}

/// Vector clocks of the application's messages, as the definition of a consistent cut has them: for each two
/// processes, the cut of the one knows no more events of the other than the other's own cut does.
struct Oracle {
    clocks: Vec<Vector>,
    cuts: BTreeMap<String, Vec<Option<Vector>>>,
    judge: Judge,
}

impl Oracle {
    fn new(processes: u32, property: Property) -> Self {
        Self {
            clocks: vec![Vector::new(processes); processes as usize],
            cuts: BTreeMap::new(),
            judge: Judge::new(&[property], processes),
        }
    }

    /// Whether some wave is inconsistent, as far as its cuts are known.
    fn has_inconsistent_cut(&self) -> bool {
        let ranks = || (0..self.clocks.len()).map(|rank| ProcessId(rank as u32));
        let knows_more = |cuts: &[Option<Vector>], one: ProcessId, other: ProcessId| {
            let (Some(a), Some(b)) = (&cuts[one.index()], &cuts[other.index()]) else {
                return false;
            };
            a.entries()[other.index()] > b.entries()[other.index()]
        };
        self.cuts
            .values()
            .any(|cuts| ranks().any(|one| ranks().any(|other| knows_more(cuts, one, other))))
    }
}

/// The monitor is not told which event of a process something is: it does not need to know.
fn event_of(process: ProcessId) -> Witness {
    Witness { process, n: 0 }
}

impl Observer for Oracle {
    type Carried = (Vector, labs::verdict::Tags);

    fn on_send(&mut self, Passing { from, to, message, .. }: Passing<'_>) -> Self::Carried {
        if message.kind() == "TRANSFER" {
            self.clocks[from.index()].tick(from);
        }
        (self.clocks[from.index()].clone(), self.judge.on_send(event_of(from), to, message))
    }

    fn on_receive(&mut self, passing: Passing<'_>, (clock, tags): &Self::Carried) {
        let Passing { from, to, message, .. } = passing;
        if message.kind() == "TRANSFER" {
            self.clocks[to.index()].merge(clock);
            self.clocks[to.index()].tick(to);
        }
        self.judge.on_receive(from, event_of(to), message, *tags);
    }

    fn on_drop(&mut self, _: Passing<'_>, _: &Self::Carried) {}

    fn on_happening(&mut self, _: u64, process: ProcessId, happening: Happening<'_>) {
        if let Happening::Indication(indication) = happening
            && indication.kind() == "Cut"
        {
            let processes = self.clocks.len();
            let cuts = self.cuts.entry(indication.text()).or_insert_with(|| vec![None; processes]);
            cuts[process.index()].get_or_insert_with(|| self.clocks[process.index()].clone());
        }
        self.judge.on_event(event_of(process), happening);
    }
}

/// The monitor looks at messages, the definition at clocks: they agree on every run, consistent or not.
#[test]
fn the_monitor_agrees_with_vector_clocks() {
    let mut verdicts = BTreeSet::new();
    for seed in 0..300 {
        let words = "--every 4 --tick 2 --waves 2 --initiators 0,3";
        let mut system = Recording::typed(4, words).judged_by(CUT);
        let network = Network { fifo: seed % 3 == 0, ..network(seed / 3) };
        let oracle = Oracle::new(4, system.properties.remove(0));
        let mut simulation = Simulation::new(seed, network, system.processes(), oracle).unwrap();
        assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
        let oracle = simulation.into_observer();
        let verdict = oracle.judge.verdicts(&Ended::Quiet.end()).remove(0);
        assert_eq!(verdict.holds(), Some(!oracle.has_inconsistent_cut()), "{seed}: {verdict:?}");
        verdicts.insert(verdict.holds());
    }
    assert_eq!(verdicts.len(), 2, "both kinds of cuts were seen");
}

/// On the same load the one protocol blocks each process in each wave, and the other never.
#[test]
fn one_protocol_blocks_and_the_other_does_not() {
    let blocked = |protocol: &str| {
        let words = format!("--protocol {protocol} --tick 1");
        let all = Recording::typed(5, &words).processes();
        let simulation = Simulation::new(7, Network::default(), all, ()).unwrap();
        let mut simulation = simulation.keeping_indications();
        simulation.run(Limits::default());
        let resumed = |i: &Indication<Work>| matches!(i, Indication::Resumed);
        simulation.indications().filter(|(_, indication)| resumed(indication)).count()
    };
    assert_eq!((blocked("chandy-lamport"), blocked("blocking")), (0, 3 * 5));
}
