use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

/// A shell that says two numbers: its own, and that of a child of its child.
fn grandparent() -> (Child, Vec<Pid>) {
    let mut child = Command::new("sh")
        .args(["-c", "sh -c 'setsid sleep 1000 & echo $PPID $!; wait' & wait"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids = line.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()));
    (child, pids.collect())
}

#[test]
fn both_ways_find_who_has_left_the_group() {
    let (mut child, pids) = grandparent();
    let root = Pid::from_raw(child.id().cast_signed());
    assert_eq!(pids[0], root);
    let mut family = below(root);
    assert!(family.contains(&pids[1]) && family.len() == 2, "{family:?} {pids:?}");
    let mut again = children_by_looking_at_all(root);
    again.extend(again.clone().into_iter().flat_map(children_by_looking_at_all));
    family.sort();
    again.sort();
    assert_eq!(family, again);
    family.iter().for_each(|&member| kill(member, Signal::SIGKILL).unwrap());
    child.wait().unwrap();
}
