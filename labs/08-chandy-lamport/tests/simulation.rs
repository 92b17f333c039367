//! Many seeds of the right protocols, going on from what they recorded, and what becomes of them where
//! their assumptions do not hold.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chandy_lamport::checkpoint::Checkpoint;
use chandy_lamport::lab::{ChandyLamportLab, Options};
use chandy_lamport::snapshot::{Indication, Snapshot};
use chandy_lamport::work::Work;
use common::{CHANNELS, CUT, EVERY_WAVE, TOTAL, all, hold, of, options, resumed, simulate, specs};
use labs::clocks::Vector;
use labs::lab::{Lab, Prediction, Verb};
use labs::process::ProcessId;
use labs::simulate::{Chance, Ended, Limits, Network, Simulation};
use labs::snapshot::Wave;
use labs::testing::violated;
use labs::trace::{Happening, Noted, Observer};
use labs::verdict::{Judge, Spec};

const PROTOCOLS: [&str; 2] = ["chandy-lamport", "blocking"];

/// Options that differ from seed to seed in all that there is but the protocol.
fn various(seed: u64, protocol: &str) -> (u32, Options) {
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
    (processes, options(&words.join(" "), Verb::Simulate, processes))
}

/// From a network as even as one machine to one where a message takes longer than three waves.
fn network(seed: u64) -> Network {
    let longest = [0, 2, 5, 30][seed as usize / 13 % 4];
    Network { latency: Duration::ZERO..=Duration::from_millis(longest), ..Network::default() }
}

fn assert_as_predicted(judge: &Judge, options: &Options, processes: u32) {
    for (kind, predicted) in ChandyLamportLab::predicted(options, processes) {
        let measured = judge.messages().get(&kind).copied().unwrap_or(0);
        assert_eq!(Prediction::Exactly(measured), predicted, "{kind} of {options:?}");
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
            let (processes, options) = various(seed, protocol);
            let demanded = specs(processes, &options);
            let faults = FAULTS[seed as usize / 17 % 4];
            let (verdicts, judge) =
                simulate(seed, network(seed), faults, all(processes, &options), &demanded);
            assert!(hold(&verdicts), "{seed} {options:?}: {verdicts:?}");
            assert_as_predicted(&judge, &options, processes);
            let detail = &of(&verdicts, CHANNELS).detail;
            in_transit += u64::from(!detail.starts_with("0 messages"));
        }
        // Otherwise nothing was shown of channel states.
        assert!(in_transit > 700, "{protocol}: {in_transit}");
    }
}

/// What all processes recorded in one wave of a simulated run: the last that any process completed.
fn recorded(seed: u64, all: Vec<Snapshot<Work>>) -> Vec<Checkpoint> {
    let processes = all.len() as u32;
    let simulation = Simulation::new(seed, network(seed), all, ()).unwrap();
    let mut simulation = simulation.keeping_indications();
    assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
    let mut waves: BTreeMap<Wave, BTreeMap<ProcessId, Checkpoint>> = BTreeMap::new();
    for (process, indication) in simulation.indications() {
        if let Indication::Recorded(recording) = indication {
            let of = Checkpoint::new(&recording, process, processes, "test".to_owned());
            waves.entry(of.wave).or_default().insert(process, of);
        }
    }
    let (_, last) = waves.pop_last().unwrap();
    assert_eq!(last.len(), processes as usize);
    last.into_values().collect()
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
        let mut options = options(&words, Verb::Simulate, 4);
        let mut all = all(4, &options);
        for generation in 0..3 {
            let checkpoints = recorded(seed + generation, all);
            let (total, under_way) = totals(&checkpoints);
            assert_eq!(total, 400, "{seed}");
            received_again += under_way;
            all = resumed(&mut options, checkpoints);
            let demanded = specs(4, &options);
            let is_total = |spec: &Spec| matches!(spec, Spec::Conservation { total: 400, .. });
            assert!(demanded.iter().any(is_total));
            let (verdicts, _) = simulate(seed, network(seed), "", all.clone(), &demanded);
            assert!(hold(&verdicts), "{seed}: {verdicts:?}");
        }
    }
    assert!(received_again > 1_000, "{received_again}");
}

/// Who does not receive again what was in transit to it loses it.
#[test]
fn what_was_in_transit_must_be_received_again() {
    let mut options = options("--every 3 --tick 1", Verb::Simulate, 4);
    let checkpoints = recorded(3, all(4, &options));
    let (total, under_way) = totals(&checkpoints);
    assert!(total == 400 && under_way > 0, "{under_way}");
    let mut forgotten = checkpoints.clone();
    for checkpoint in &mut forgotten {
        checkpoint.channels.values_mut().for_each(Vec::clear);
    }
    let forgetful = resumed(&mut options, forgotten);
    resumed(&mut options, checkpoints);
    let demanded = specs(4, &options);
    let (verdicts, _) = simulate(3, Network::default(), "", forgetful, &demanded);
    assert_eq!(violated(&verdicts), [TOTAL]);
}

/// Without FIFO the marker divides nothing.
#[test]
fn without_fifo_cuts_and_channel_states_are_wrong() {
    let mut broken = BTreeMap::new();
    for seed in 0..100 {
        for protocol in PROTOCOLS {
            let words = format!("--protocol {protocol} --every 10 --tick 1");
            let options = options(&words, Verb::Simulate, 5);
            let demanded = specs(5, &options);
            let (verdicts, _) =
                simulate(seed, Network::unordered(), "", all(5, &options), &demanded);
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
    let options = options("--every 10 --tick 1 --messages 50", Verb::Simulate, 4);
    let demanded = specs(4, &options);
    let losing = Network { loss: Chance::percent(20), ..Network::default() };
    let doubling = Network { duplication: Chance::percent(20), ..Network::default() };
    let (mut incomplete, mut made) = (0, 0);
    for seed in 0..50 {
        let (verdicts, _) = simulate(seed, losing.clone(), "", all(4, &options), &demanded);
        incomplete += u32::from(of(&verdicts, EVERY_WAVE).holds == Some(false));
        let (verdicts, _) = simulate(seed, doubling.clone(), "", all(4, &options), &demanded);
        made += u32::from(of(&verdicts, TOTAL).holds == Some(false));
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
    fn new(processes: u32, message: &str) -> Self {
        let spec = Spec::ConsistentCut { cut: "Cut".to_owned(), message: message.to_owned() };
        Self {
            clocks: vec![Vector::new(processes); processes as usize],
            cuts: BTreeMap::new(),
            judge: Judge::new(&[spec], processes),
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

impl Observer for Oracle {
    type Carried = (Vector, labs::verdict::Tags);

    fn on_send(
        &mut self,
        _: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        _: u32,
    ) -> Self::Carried {
        if message.kind() == "TRANSFER" {
            self.clocks[from.index()].tick(from);
        }
        (self.clocks[from.index()].clone(), self.judge.on_send(from, to, message, 0))
    }

    fn on_receive(
        &mut self,
        _: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        _: u32,
        (clock, tags): &Self::Carried,
    ) {
        if message.kind() == "TRANSFER" {
            self.clocks[to.index()].merge(clock);
            self.clocks[to.index()].tick(to);
        }
        self.judge.on_receive(from, to, message, 0, *tags);
    }

    fn on_drop(
        &mut self,
        _: u64,
        _: ProcessId,
        _: ProcessId,
        _: &dyn Noted,
        _: u32,
        _: &Self::Carried,
    ) {
    }

    fn on_happening(&mut self, _: u64, process: ProcessId, happening: Happening<'_>) {
        if let Happening::Indication(indication) = happening
            && indication.kind() == "Cut"
        {
            let processes = self.clocks.len();
            let cuts = self.cuts.entry(indication.text()).or_insert_with(|| vec![None; processes]);
            cuts[process.index()].get_or_insert_with(|| self.clocks[process.index()].clone());
        }
        self.judge.on_event(process, happening, 0);
    }
}

/// The monitor looks at messages, the definition at clocks: they agree on every run, consistent or not.
#[test]
fn the_monitor_agrees_with_vector_clocks() {
    let mut verdicts = BTreeSet::new();
    for seed in 0..300 {
        let words = "--every 4 --tick 2 --waves 2 --initiators 0,3";
        let options = options(words, Verb::Simulate, 4);
        let network = Network { fifo: seed % 3 == 0, ..network(seed / 3) };
        let oracle = Oracle::new(4, "TRANSFER");
        let mut simulation = Simulation::new(seed, network, all(4, &options), oracle).unwrap();
        assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
        let oracle = simulation.into_observer();
        let verdict = oracle.judge.verdicts(&Ended::Quiet.end()).remove(0);
        assert_eq!(verdict.holds, Some(!oracle.has_inconsistent_cut()), "{seed}: {verdict:?}");
        verdicts.insert(verdict.holds);
    }
    assert_eq!(verdicts.len(), 2, "both kinds of cuts were seen");
}

/// On the same load the one protocol blocks each process in each wave, and the other never.
#[test]
fn one_protocol_blocks_and_the_other_does_not() {
    let blocked = |protocol: &str| {
        let words = format!("--protocol {protocol} --tick 1");
        let options = options(&words, Verb::Simulate, 5);
        let simulation = Simulation::new(7, Network::default(), all(5, &options), ()).unwrap();
        let mut simulation = simulation.keeping_indications();
        simulation.run(Limits::default());
        let resumed = |i: &Indication<Work>| matches!(i, Indication::Resumed);
        simulation.indications().filter(|(_, indication)| resumed(indication)).count()
    };
    assert_eq!((blocked("chandy-lamport"), blocked("blocking")), (0, 3 * 5));
}
