use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    network: NetworkArguments,
}

const ALL: [Assumption; 5] = [
    Assumption::Fifo,
    Assumption::Reliable,
    Assumption::NoDuplicates,
    Assumption::NoCrash,
    Assumption::MajorityLives,
];

fn broken(line: &str, mishaps: Mishaps, crashes: &[(ProcessId, u64)]) -> Vec<String> {
    let line = Line::parse_from(std::iter::once("simulate").chain(line.split_whitespace()));
    line.network.broken(&ALL, mishaps, crashes, 3)
}

/// The file of a network that comes with the workbench.
fn network(name: &str) -> String {
    format!("{}/../../networks/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_network_of_regions_takes_the_place_of_the_latency() {
    let parse = |words: &[&str]| Line::try_parse_from([&["simulate", "--network"], words].concat());
    let (cloud, campus) = (network("cloud"), network("campus"));
    let read = parse(&[&cloud]).unwrap().network;
    let [line] = &read.place(10)[..] else { panic!("one line") };
    assert!(
        line.ends_with(": Virginia 2, Oregon 2, Ireland 2, Singapore 2, São Paulo 2"),
        "{line}"
    );
    let lost = Mishaps { lost: 1, ..Mishaps::default() };
    assert_eq!(
        broken(&format!("--network {campus}"), lost, &[]),
        ["reliable channels (--network)"]
    );
    let refused = parse(&[&cloud, "--latency", "2"]).unwrap_err().to_string();
    assert!(refused.contains("cannot be used with"), "{refused}");
    let missing = parse(&["nowhere.json"]).unwrap_err().to_string();
    assert!(missing.contains("check the name"), "{missing}");
}

#[test]
fn what_did_not_go_wrong_breaks_nothing() {
    let line = "--loss 1% --duplication 1% --reordering 1% --crash 1@20";
    assert_eq!(broken(line, Mishaps::default(), &[]), [""; 0]);
    // It died before, for another reason.
    assert_eq!(broken(line, Mishaps::default(), &[(ProcessId(1), 19_000)]), [""; 0]);
}

#[test]
fn what_went_wrong_is_named_by_its_option() {
    let mishaps = Mishaps { lost: 1, doubled: 1, overtaking: 1 };
    let said = broken("--unordered --crash 1@20", mishaps, &[(ProcessId(1), 20_000)]);
    let expected = [
        "FIFO (--unordered)",
        "reliable channels (--loss)",
        "no duplicates (--duplication)",
        "no crash (--crash)",
    ];
    assert_eq!(said, expected);
    assert_eq!(broken("--reordering 1%", mishaps, &[])[0], "FIFO (--reordering)");
    let two = [(ProcessId(1), 20_000), (ProcessId(2), 30_000)];
    let said = broken("--crash 1@20 --crash 2@30", Mishaps::default(), &two);
    assert_eq!(said, ["no crash (--crash)", "at most a minority is down (--crash)"]);
    let both = broken("--reordering 1% --unordered", mishaps, &[]);
    assert_eq!(both[0], "FIFO (--unordered --reordering)");
}
