use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::*;
use crate::reap::tests::waiting;

#[test]
fn what_is_alive_is_found_and_whether_it_is_stopped() {
    let run = RunId::new();
    let name = run.as_str();
    let mut two = waiting(&["participant", "--run", name, "--rank", "2"]);
    let mut zero = waiting(&["participant", &format!("--run={name}"), "--rank=0"]);
    let mut not_one = waiting(&["--run", name]);
    assert!(signal(two.id(), started(two.id()).unwrap(), Signal::SIGSTOP));
    waitpid(Pid::from_raw(two.id() as i32), Some(WaitPidFlag::WUNTRACED)).unwrap();

    let found: Vec<_> = of_runs().into_iter().filter(|process| process.run == run).collect();
    let seen: Vec<_> = found.iter().map(|p| (p.rank, p.pid, p.is_stopped)).collect();
    assert_eq!(seen, [(0, zero.id(), false), (2, two.id(), true)]);
    assert_eq!(found[0].program, "sh");
    assert!(found[0].age < Duration::from_secs(60), "{:?}", found[0].age);

    for child in [&mut two, &mut zero, &mut not_one] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(of_runs().iter().all(|process| process.run != run));
}

#[test]
fn a_number_that_was_given_again_is_another_process() {
    let mut child = waiting(&[]);
    let (pid, at) = (child.id(), started(child.id()).unwrap());
    assert!(!signal(pid, at + 1, Signal::SIGKILL));
    assert!(wait_for(pid, at + 1, Duration::ZERO), "the other one has ended");
    assert!(!wait_for(pid, at, Duration::ZERO));
    assert!(signal(pid, at, Signal::SIGKILL));
    assert!(wait_for(pid, at, Duration::from_secs(30)));
    assert_eq!(started(pid), None, "nobody has waited for it, and it has ended all the same");
    child.wait().unwrap();
    assert!(!signal(pid, at, Signal::SIGKILL));
}

#[test]
fn a_name_with_brackets_is_a_name() {
    let text = "7 (a) R (b) T 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0";
    let stat = Stat::parse(text).unwrap();
    assert_eq!((stat.state, stat.started), ('T', 4711));
    assert!(Stat::parse("7 (a) R 1").is_none());
    assert!(Stat::parse("").is_none());
}
