use clap::Parser;

use super::*;

#[derive(Parser)]
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
