use std::process::{Command, Stdio};

use super::*;

/// What the original process makes of a daemon that says this and ends.
fn hear(said: &str) -> Marker {
    let (from_daemon, to_parent) = pipe2(OFlag::O_CLOEXEC).unwrap();
    fs::File::from(to_parent).write_all(said.as_bytes()).unwrap();
    await_daemon(from_daemon, Instant::now() + Duration::from_secs(10))
}

#[test]
fn what_the_daemon_says_is_understood() {
    let error = |text: &str| Marker::Error(text.to_owned());
    assert_eq!(hear("42\nok\n"), Marker::Ok(42));
    assert_eq!(hear("42\nerror no port\n"), error("no port"));
    assert_eq!(hear("error cannot fork again\n"), error("cannot fork again"));
    for died in ["", "42\n", "42\no", "42\nok"] {
        assert_eq!(hear(died), error("the daemon died before it was ready"), "{died:?}");
    }
}

#[test]
fn a_daemon_that_says_nothing_in_time_is_killed() {
    use std::os::unix::process::ExitStatusExt;
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let (from_daemon, to_parent) = pipe2(OFlag::O_CLOEXEC).unwrap();
    nix::unistd::write(&to_parent, format!("{}\n", child.id()).as_bytes()).unwrap();
    let marker = await_daemon(from_daemon, Instant::now() + Duration::from_millis(50));
    assert!(matches!(marker, Marker::Error(text) if text.contains("was not ready within")));
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}
