use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::golden::Director;
use super::{Cast, Opening, Scribe, run_dir};
use crate::check::{Channels, Options, check};
use crate::process::{Context, Kind, Process, ProcessId};
use crate::simulate::{Chance, Limits, Network, Simulation};
use crate::verdict::Property;

/// Tells its letters to all others, and again when the alarm rings.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Postman {
    heard: BTreeSet<u32>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Order {
    Send(u32),
    SendAny,
    Break,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Letter(u32);

impl From<&Letter> for &'static str {
    fn from(_: &Letter) -> Self {
        "LETTER"
    }
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Heard(u32);

impl From<&Heard> for &'static str {
    fn from(_: &Heard) -> Self {
        "Heard"
    }
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Again(u32);

impl Process for Postman {
    type Request = Order;
    type Indication = Heard;
    type Message = Letter;
    type Timer = Again;

    fn on_request(&mut self, ctx: &mut Context<Self>, order: Order) {
        let letter = match order {
            Order::Send(letter) => letter,
            Order::SendAny => ctx.choose(10) as u32,
            Order::Break => panic!("broke"),
        };
        ctx.send_to_others(Letter(letter));
        ctx.start_timer(Again(letter), Duration::from_secs(1));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, Letter(letter): Letter) {
        if self.heard.insert(letter) {
            ctx.indicate(Heard(letter));
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Again(letter): Again) {
        ctx.send_to_others(Letter(letter));
    }
}

const REQUESTS: [Order; 4] = [Order::Send(1), Order::Send(2), Order::SendAny, Order::Break];

fn cast(opening: &Opening) -> Cast<Postman> {
    let properties = match opening.arguments.get("watch").map(String::as_str) {
        None => Vec::new(),
        Some("channels") => vec![Property::fifo(), Property::exactly_once()],
        Some(other) => return Err(format!("watch={other}: there is only watch=channels")),
    };
    Ok((vec![Postman::default(); opening.processes as usize], properties))
}

#[test]
fn the_scripts_lead_where_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    run_dir(folder, &REQUESTS, cast).unwrap();
}

#[test]
fn a_folder_without_scripts_tests_nothing() {
    let error = run_dir("no/such/folder", &REQUESTS, cast).unwrap_err().to_string();
    assert!(error.starts_with("no/such/folder: "), "{error}");
}

/// Plays a script with one block, and returns what its last command leads to.
fn played(script: &str, last: &str) -> String {
    let (commands, _) = script.split_once("---").unwrap();
    let script = format!("{commands}---\n\n{last}\n---\n");
    let mut director = Director { requests: &REQUESTS, build: &cast, stage: None };
    let played = goldenscript::generate(&mut director, &script).unwrap();
    played.rsplit_once("---\n").unwrap().1.to_owned()
}

#[test]
fn a_failing_seed_becomes_a_script() {
    let network = Network {
        loss: Chance::percent(20),
        duplication: Chance::percent(30),
        ..Network::unordered()
    };
    let mut failures = 0;
    for seed in 0..50 {
        let processes = vec![Postman::default(); 3];
        let mut simulation =
            Simulation::new(seed, network.clone(), processes, Scribe::default()).unwrap();
        simulation.request(ProcessId(0), Order::Send(1));
        simulation.request(ProcessId(1), Order::Send(2));
        simulation.crash_at(Duration::from_millis(3), ProcessId(2));
        simulation.run(Limits::default());
        let mut states = String::new();
        for (rank, process) in simulation.processes().iter().enumerate().take(2) {
            writeln!(states, "p{rank} {process:?}").unwrap();
            failures += usize::from(process.heard.is_empty());
        }
        let script = simulation.into_observer().to_string();
        assert_eq!(played(&script, "show"), format!("{states}p2 is down\n"), "{script}");
    }
    assert!(failures > 0, "no seed loses everything");
}

#[test]
fn a_counterexample_becomes_a_script() {
    let options = Options { duplicates: 1, channels: Channels::Unordered, ..Options::default() };
    let requests = vec![vec![Order::Send(1), Order::Send(2)]];
    let processes = vec![Postman::default(); 2];
    for (property, name) in
        [(Property::fifo(), "FIFO"), (Property::exactly_once(), "exactly-once delivery")]
    {
        let outcome = check(processes.clone(), requests.clone(), &[property], &options, |_| ());
        let mut scribe = Scribe::default();
        outcome.counterexample.unwrap().replay(&mut scribe);
        let script = scribe.to_string().replacen("start 2", "start 2 watch=channels", 1);
        let verdicts = played(&script, "verdicts");
        assert!(verdicts.contains(&format!("{name} is violated")), "{script}{verdicts}");
    }
}
