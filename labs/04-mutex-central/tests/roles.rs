//! The coordinator and the client as programs of their own.

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use common::PROGRAM;
use common::role::{Role, assert_file_holds};
use labs::testing::{wait_until, with_hosts};
use nix::sys::signal::Signal;

#[test]
fn clients_enter_one_at_a_time_and_ctrl_c_ends_all() {
    let folder = tempfile::tempdir().unwrap();
    let (coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &[]);
    let mode = std::fs::metadata(folder.path().join("secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let start = |more: &[&str]| {
        let client = ["client", &address, "--file", "file"];
        Role::start(folder.path(), &[&client, more].concat())
    };
    let done: Vec<_> = (0..3).map(|_| start(&["--entries", "20", "--quit"])).collect();
    for client in done {
        let (status, said) = client.end();
        assert_eq!(status, Some(0));
        assert!(said.contains("entered 20 times"), "{said}");
    }
    // Without --quit a client stays, and Ctrl-C ends it cleanly.
    let mut stays = start(&["--entries", "4"]);
    stays.line();
    assert_eq!(stays.line(), "entered 4 times\n");
    stays.signal(Signal::SIGINT);
    let (status, said) = stays.end();
    assert_eq!((status, said.as_str()), (Some(0), "stopped after 4 entries\n"));
    coordinator.signal(Signal::SIGINT);
    assert_eq!(coordinator.end().0, Some(0));
    assert_file_holds(&folder.path().join("file"), 64);
}

/// Ctrl-C does not cut a section short.
#[test]
fn a_client_that_is_stopped_finishes_its_section() {
    let folder = tempfile::tempdir().unwrap();
    let (_coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &[]);
    let file = folder.path().join("file");
    let arguments = ["client", &address, "--entries", "0", "--work", "300", "--file", "file"];
    let client = Role::start(folder.path(), &arguments);
    wait_until("it is inside", || file.exists() && std::fs::metadata(&file).unwrap().len() > 0);
    client.signal(Signal::SIGTERM);
    let (status, said) = client.end();
    assert!(status == Some(0) && said.contains("stopped after 1 entry"), "{status:?} {said}");
    assert_file_holds(&file, 1);
}

/// Killed at any moment, and started again with the same file, at the same address: clients connect again, and all
/// requests are served.
#[test]
fn the_coordinator_killed_and_started_again_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let with_state = ["--state", "state"];
    let (mut coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &with_state);
    let file = folder.path().join("file");
    let arguments = [
        "client",
        &address,
        "--entries",
        "8",
        "--work",
        "20",
        "--retry",
        "50",
        "--file",
        "file",
        "--quit",
    ];
    let clients: Vec<_> = (0..3).map(|_| Role::start(folder.path(), &arguments)).collect();
    let lines = || std::fs::read_to_string(&file).map_or(0, |text| text.lines().count());
    for part in 1..=4 {
        wait_until("some have entered", || lines() >= part * 6);
        coordinator.signal(Signal::SIGKILL);
        coordinator.child.wait().unwrap();
        (coordinator, _) = Role::coordinator(folder.path(), &address, &with_state);
    }
    for client in clients {
        let (status, said) = client.end();
        assert!(status == Some(0) && said.contains("entered 8 times"), "{status:?} {said}");
    }
    assert_file_holds(&file, 24);
}

/// Both would let somebody in.
#[test]
fn a_state_has_one_coordinator_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (coordinator, _) = Role::coordinator(folder.path(), "127.0.0.1:0", &["--state", "state"]);
    // By another name, too.
    std::os::unix::fs::symlink(".", folder.path().join("here")).unwrap();
    std::fs::write(
        folder.path().join("state"),
        "{\"token\":1,\"inside\":null,\"line\":[],\"wishes\":{}}",
    )
    .unwrap();
    std::os::unix::fs::symlink("state", folder.path().join("link")).unwrap();
    for state in ["state", "here/state", "link"] {
        let mut command = PROGRAM.command();
        command.current_dir(folder.path()).args(["coordinator", "--listen", "127.0.0.1:0"]);
        let output = command.args(["--secret", "secret", "--state", state]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("another coordinator uses the state in "), "{stderr}");
    }
    drop(coordinator);
    Role::coordinator(folder.path(), "127.0.0.1:0", &["--state", "state"]);
}

#[test]
fn a_client_waits_for_a_coordinator_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    // Its address is known, and the secret; then it is gone.
    let (coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &[]);
    drop(coordinator);
    let mut client = Role::start(folder.path(), &["client", &address, "--retry", "50", "--quit"]);
    client.line();
    let (_coordinator, _) = Role::coordinator(folder.path(), &address, &[]);
    let (status, said) = client.end();
    assert_eq!((status, said.as_str()), (Some(0), "entered 5 times\n"));
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 twin\n127.0.0.2 twin\n").unwrap();
    let Some(command) = with_hosts(&PROGRAM.command(), &hosts) else {
        return eprintln!("left out: no user namespaces here");
    };
    // At the second of the two.
    let (_coordinator, address) = Role::coordinator(folder.path(), "127.0.0.2:0", &[]);
    let port = address.rsplit(':').next().unwrap();
    let arguments = ["client", &format!("twin:{port}"), "--quit"];
    let mut client = Role::start_as(command, folder.path(), &arguments);
    wait_until("it has entered", || client.child.try_wait().unwrap().is_some());
    let (status, said) = client.end();
    assert!(status == Some(0) && said.contains("entered 5 times"), "{status:?} {said}");
}

#[test]
fn only_who_knows_the_secret_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let (_coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &[]);
    let other = tempfile::tempdir().unwrap();
    // A secret of its own, made by another coordinator.
    let (another, _) = Role::coordinator(other.path(), "127.0.0.1:0", &[]);
    drop(another);
    let mut stranger = Role::start(other.path(), &["client", &address, "--quit"]);
    stranger.line();
    let friend = Role::start(folder.path(), &["client", &address, "--quit"]);
    assert_eq!(friend.end().0, Some(0));
    assert_eq!(stranger.child.try_wait().unwrap(), None, "a stranger got in");
    let mut port = TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut port, &[0xff; 64]).unwrap();
    let mut answer = Vec::new();
    let _ = port.read_to_end(&mut answer);
    assert!(answer.len() < 200, "{answer:?}");
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let secret = path.to_str().unwrap();
    let refused = |arguments: &[&str], expected: &str| {
        let output = PROGRAM.output(&[arguments, &["--secret", secret]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    refused(&["client"], "No such file");
    std::fs::write(&path, "x").unwrap();
    refused(&["client"], "chmod 600");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    refused(&["client"], "does not hold a secret");
    std::fs::remove_file(&path).unwrap();
    let (_coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &[]);
    refused(&["coordinator", "--listen", &address], "cannot listen on");
    refused(&["coordinator", "--state", secret], "does not hold the state");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    refused(&["coordinator", "--state", empty.to_str().unwrap()], "is empty, which no coordinator");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&["coordinator", "--state", pipe.to_str().unwrap()], "not an ordinary file");
    refused(&["client", "nowhere"], "no address of a coordinator");
    refused(&["client", &address, "--file", "/nowhere/at/all"], "cannot open the shared file");
}
