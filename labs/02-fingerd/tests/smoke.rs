//! The program itself on loopback: every query of the grammar with the exact bytes of its answer,
//! what an attacker would try, and every limit. The place of `finger` is taken by scripts, so that
//! nothing need be installed; the real one, Debian's client and Debian's server are met in
//! testbed/tests/sockets.rs.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use common::{PATIENCE, PROGRAM, Server, connect, finger, rest, run, wait_for_end, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const NOT_A_LOGIN: &str =
    "fingerd: not a login: 1 to 32 letters, digits, '.', '_', '-', and no '-' in front\r\n";
const FORWARDING: &str = "Finger forwarding service denied\r\n";

#[test]
fn every_query_of_the_grammar_gets_exactly_its_answer() {
    let server = Server::with("shows", &[]);
    for (query, answer) in [
        // What Debian's client sends for `finger @host`, `finger -l @host`, `finger alice@host`,
        // `finger -l alice@host` and `finger alice@other@host`.
        (&b"\r\n"[..], "(no arguments)\r\n"),
        (b"/W \r\n", "[-l]\r\n"),
        (b"alice\r\n", "[--][alice]\r\n"),
        (b"/W alice\r\n", "[-l][--][alice]\r\n"),
        (b"alice@other\r\n", FORWARDING),
        // The rest of the grammar, and what is accepted beyond it.
        (b"\n", "(no arguments)\r\n"),
        (b"alice\n", "[--][alice]\r\n"),
        (b"/W\r\n", "[-l]\r\n"),
        (b"/w alice\r\n", "[-l][--][alice]\r\n"),
        (b"  alice  \r\n", "[--][alice]\r\n"),
        (b"@other\r\n", FORWARDING),
        (b"/W alice@other@third\r\n", FORWARDING),
        // Only the first line is a query.
        (b"alice\r\nbob\r\n", "[--][alice]\r\n"),
    ] {
        assert_eq!(server.ask(query), answer, "{}", query.escape_ascii());
    }
}

#[test]
fn what_is_no_login_is_refused_and_nothing_runs() {
    let server = Server::with("shows", &[]);
    for query in [
        "; rm -rf ~",
        "alice; id",
        "$(id)",
        "`id`",
        "|id",
        "alice&id",
        "-l",
        "--help",
        "/W -l",
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "alice bob",
        "alice\0",
        "al\rice",
        "*",
        "renée",
        "\u{1b}[2J",
        &"a".repeat(33),
    ] {
        assert_eq!(server.ask(format!("{query}\r\n")), NOT_A_LOGIN, "{query:?}");
    }
    assert_eq!(server.ask(b"\xff\xfe\r\n"), NOT_A_LOGIN);
    // The log shows what was asked, and stays a log.
    server.logs(r#" "; rm -rf ~" refused: not a login: "#);
    server.logs(r#" "\u{1b}[2J" refused: "#);
    server.logs(r#" "\xff\xfe" refused: "#);
    let log = fs::read_to_string(server.folder.path().join("log")).unwrap();
    assert!(log.lines().all(|line| line.starts_with("20")), "{log}");
}

#[test]
fn a_query_in_pieces_is_one_query() {
    let server = Server::with("shows", &[]);
    let mut stream = server.connect();
    stream.set_nodelay(true).unwrap();
    for byte in b"/W alice\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(rest(stream), "[-l][--][alice]\r\n");
    // A client may close its side once it has asked; `nc -N` does.
    let mut stream = server.connect();
    stream.write_all(b"alice\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), "[--][alice]\r\n");
    // A line that was not ended was perhaps cut: `al` is not `alice`.
    let mut stream = server.connect();
    stream.write_all(b"al").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), "fingerd: a query ends with the end of its line\r\n");
}

#[test]
fn only_printable_ascii_leaves_the_server() {
    let server = Server::with("wild", &[]);
    assert_eq!(server.ask("alice\r\n"), "?[2Jcaf?\r\ncomplaint\r\n");
}

#[test]
fn a_child_inherits_nothing() {
    // The server itself is given a variable and a file that it should not pass on.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::command(&folder, &["--finger", &finger("environment")]);
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "exec 9</etc/passwd; export SECRET=of-the-server; exec \"$@\"",
        "sh",
        PROGRAM,
    ]);
    let server = Server::spawn(shell.args(server.get_args()).stdout(Stdio::piped()), folder);
    let answer = server.ask("alice\r\n");
    let (variables, files): (Vec<_>, Vec<_>) = answer.lines().partition(|line| line.contains('='));
    let names = variables.iter().filter_map(|line| Some(line.split_once('=')?.0));
    // What a shell sets by itself.
    let names = names.filter(|name| !["OLDPWD", "PWD", "SHLVL", "_"].contains(name));
    assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(["LC_ALL", "PATH"]), "{answer}");
    assert!(variables.contains(&"PWD=/"), "{answer}");
    assert_eq!(files[0], "/dev/null", "{answer}");
    assert!(files[1].starts_with("pipe:"), "{answer}");
    // Nothing but this pipe; the shell has its script open too.
    let is_known = |file: &&&str| **file == files[1] || file.ends_with("/environment.sh");
    let strange = files[1..].iter().find(|file| !is_known(file));
    assert_eq!(strange, None, "{answer}");
}

#[test]
fn who_is_logged_in_may_be_kept_secret() {
    let server = Server::with("shows", &["--no-list"]);
    assert_eq!(server.ask("\r\n"), "Finger online user list denied\r\n");
    assert_eq!(server.ask("/W\r\n"), "Finger online user list denied\r\n");
    assert_eq!(server.ask("alice\r\n"), "[--][alice]\r\n");
}

#[test]
fn a_slow_client_is_told_and_delays_nobody() {
    let server = Server::with("shows", &["--query-time", "0.5"]);
    let mut slow = server.connect();
    slow.write_all(b"ali").unwrap();
    let silent = server.connect();
    assert_eq!(server.ask("alice\r\n"), "[--][alice]\r\n");
    assert_eq!(rest(slow), "fingerd: no query within 0.5 s\r\n");
    assert_eq!(rest(silent), "fingerd: no query within 0.5 s\r\n");
    server.logs("\"ali\" refused: no query within 0.5 s, 32 bytes");
    server.logs(" nothing refused: no query within 0.5 s");
    assert_eq!(server.ask("alice\r\n"), "[--][alice]\r\n");
}

#[test]
fn a_query_over_the_limit_is_refused_whatever_follows() {
    let server = Server::with("shows", &["--max-query", "10"]);
    let refused = "fingerd: a query has at most 10 bytes\r\n";
    assert_eq!(server.ask("12345678\r\n"), "[--][12345678]\r\n");
    assert_eq!(server.ask("123456789\r\n"), refused);
    assert_eq!(server.ask("1234567890\n"), refused);
    // So much that the server does not read all of it; its answer must arrive nevertheless.
    assert_eq!(server.ask("x".repeat(200_000)), refused);
}

#[test]
fn clients_over_the_limit_are_told_and_the_others_served() {
    let server = Server::with("shows", &["--connections", "2"]);
    let (mut first, second) = (server.connect(), server.connect());
    let busy = "fingerd: too many connections; try again later\r\n";
    // Even one that has sent its query before it could be told.
    assert_eq!(server.ask("alice\r\n"), busy);
    assert_eq!(rest(server.connect()), busy);
    first.write_all(b"alice\r\n").unwrap();
    assert_eq!(rest(first), "[--][alice]\r\n");
    server.logs(" \"alice\" answered, ");
    // Now there is room.
    assert_eq!(server.ask("bob\r\n"), "[--][bob]\r\n");
    drop(second);
    server.logs("nothing closed without a query");
}

#[test]
fn a_child_that_hangs_is_ended_with_all_it_has_started() {
    let server = Server::with("hangs", &["--answer-time", "1", "--children", "1"]);
    let mut first = server.connect();
    first.write_all(b"alice\r\n").unwrap();
    let mut first = BufReader::new(first);
    let mut pids = String::new();
    first.read_line(&mut pids).unwrap();
    // While it hangs there is no room for another.
    let busy = "fingerd: too many requests at once; try again later\r\n";
    assert_eq!(server.ask("bob\r\n"), busy);
    let mut end = String::new();
    first.read_to_string(&mut end).unwrap();
    assert_eq!(end, "fingerd: no answer within 1 s\r\n");
    pids.split_whitespace().for_each(wait_for_end);
    assert_eq!(pids.split_whitespace().count(), 2);
    server.logs("\"alice\" no answer within 1 s, ");
    // And the place is free again.
    wait_until("a place", || {
        let mut next = BufReader::new(server.connect());
        next.get_mut().write_all(b"carol\r\n").unwrap();
        let mut line = String::new();
        next.read_line(&mut line).unwrap();
        (line != busy).then_some(())
    });
}

#[test]
fn a_child_whose_client_is_gone_or_whose_server_ends_is_ended() {
    let server = Server::with("hangs", &["--answer-time", "1000"]);
    let ask = || {
        let mut stream = BufReader::new(server.connect());
        stream.get_mut().write_all(b"alice\r\n").unwrap();
        let mut pids = String::new();
        stream.read_line(&mut pids).unwrap();
        (stream.into_inner(), pids)
    };
    let (gone, pids) = ask();
    // Closing now sends a reset.
    socket2::SockRef::from(&gone).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(gone);
    pids.split_whitespace().for_each(wait_for_end);
    server.logs("\"alice\" gone before the end");
    let (_stays, pids) = ask();
    server.stop(Signal::SIGTERM);
    pids.split_whitespace().for_each(wait_for_end);
}

/// It asks, and the child tells these numbers.
fn asks(server: &Server) -> (TcpStream, Vec<String>) {
    let mut stream = BufReader::new(server.connect());
    stream.get_mut().write_all(b"alice\r\n").unwrap();
    let mut pids = String::new();
    stream.read_line(&mut pids).unwrap();
    (stream.into_inner(), pids.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn who_leaves_the_process_group_does_not_escape() {
    let server = Server::with("leaves", &["--answer-time", "1"]);
    let (stream, pids) = asks(&server);
    assert_eq!(pids.len(), 3);
    assert_eq!(rest(stream), "fingerd: no answer within 1 s\r\n");
    pids.iter().for_each(|pid| wait_for_end(pid));
    let server = Server::with("forgets", &[]);
    let orphan = server.ask("alice\r\n");
    wait_for_end(orphan.trim());
    // Nor does who is there when the server ends.
    let server = Server::with("leaves", &["--answer-time", "1000"]);
    let (_stays, pids) = asks(&server);
    server.stop(Signal::SIGTERM);
    pids.iter().for_each(|pid| wait_for_end(pid));
}

#[test]
fn a_server_that_is_killed_leaves_no_child() {
    for script in ["hangs", "leaves"] {
        let server = Server::with(script, &["--answer-time", "1000"]);
        let (_stays, pids) = asks(&server);
        if let Some(orphan) = pids.get(2).filter(|_| script == "leaves") {
            wait_for_end(orphan); // The server looks for orphans now and then.
        }
        kill(Pid::from_raw(server.pid()), Signal::SIGKILL).unwrap();
        pids.iter().for_each(|pid| wait_for_end(pid));
    }
}

#[test]
fn a_server_goes_on_without_its_keeper_and_says_so() {
    let server = Server::with("shows", &[]);
    let pid = server.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    kill(Pid::from_raw(children.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    server.logs(
        "the keeper has ended: if this server is killed with -9, a finger that hangs is left",
    );
    assert_eq!(server.ask("alice\r\n"), "[--][alice]\r\n");
}

/// As `logrotate` does it: the file gets another name, and the server a signal.
#[test]
fn a_daemon_opens_its_log_anew_at_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--daemon", "--finger", &finger("shows"), "--bind", "127.0.0.1"];
    let mut command = Server::command(&folder, &arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (ready, pid) = said.trim_end().rsplit_once(", process ").expect(&said);
    let daemon = Daemon(pid.parse().unwrap());
    let address = ready.strip_prefix("listening on tcp ").unwrap().parse().unwrap();
    let [log, old] = ["log", "log.1"].map(|name| folder.path().join(name));
    fs::rename(&log, &old).unwrap();
    kill(Pid::from_raw(daemon.0), Signal::SIGHUP).unwrap();
    wait_until("a new log", || log.exists().then_some(()));
    let mut stream = connect(address);
    stream.write_all(b"alice\r\n").unwrap();
    assert_eq!(rest(stream), "[--][alice]\r\n");
    wait_until("a line", || fs::read_to_string(&log).unwrap().contains("answered").then_some(()));
    assert!(fs::read_to_string(&log).unwrap().contains("SIGHUP: this log was opened anew"));
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::command(&folder, &["--finger", &finger("shows")]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP INT; exec \"$@\"", "sh", PROGRAM]).args(server.get_args());
    let server = Server::spawn(shell.stdout(Stdio::piped()), folder);
    for signal in [Signal::SIGHUP, Signal::SIGINT] {
        kill(Pid::from_raw(server.pid()), signal).unwrap();
        assert_eq!(server.ask("alice\r\n"), "[--][alice]\r\n");
    }
    let log = server.stop(Signal::SIGTERM);
    let log = fs::read_to_string(log.path().join("log")).unwrap();
    assert!(log.contains("stopped by SIGTERM"), "{log}");
    // In the foreground of a terminal that closes, it ends with a word.
    let log = Server::with("shows", &[]).stop(Signal::SIGHUP);
    let log = fs::read_to_string(log.path().join("log")).unwrap();
    assert!(log.contains("stopped by SIGHUP"), "{log}");
}

#[test]
fn a_child_that_prints_for_ever_is_cut_off() {
    let server = Server::start(&["--finger", "/usr/bin/yes", "--max-answer", "1000"]);
    let answer = server.ask("\r\n");
    let (printed, end) = answer.split_at(1500);
    assert_eq!(printed, "y\r\n".repeat(500));
    assert_eq!(end, "fingerd: the answer is cut off after 1000 bytes\r\n");
    assert_eq!(server.ask("a@b\r\n"), FORWARDING);
}

#[test]
fn a_client_that_does_not_take_its_answer_is_cut_off() {
    // More than the buffers of both ends hold.
    let server = Server::start(&[
        "--finger",
        "/usr/bin/yes",
        "--max-answer",
        "8000000",
        "--send-time",
        "0.5",
    ]);
    let mut idle = server.connect();
    idle.write_all(b"\r\n").unwrap();
    server.logs("the answer is cut off after 8000000 bytes; too slow in receiving it");
}

#[test]
fn two_servers_do_not_share_a_pid_file() {
    let server = Server::with("shows", &[]);
    let pid = server.pid();
    assert_eq!(fs::read_to_string(server.pid_file()).unwrap(), format!("{pid}\n"));
    let second = Server::command(&server.folder, &[]).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let path = server.pid_file();
    assert_eq!(
        String::from_utf8(second.stderr).unwrap(),
        format!(
            "fingerd: another server, process {pid}, holds {}; stop it with `kill {pid}`, or name \
             another --pid-file\n",
            path.display()
        )
    );
    // The second has left the first's file alone, and the first takes it away.
    assert!(path.exists());
    let folder = server.stop(Signal::SIGINT);
    assert!(!path.exists());
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.ends_with(" stopped by SIGINT: 0 connections served, 0 still open\n"), "{log}");
}

#[test]
fn the_log_is_not_taken_for_the_pid_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "what was logged\n").unwrap();
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder.path()).args(["serve", "--port", "0", "--pid-file", "./log"]);
    let output = command.arg("--log-file").arg(&log).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let expected =
        "fingerd: ./log is the log too; name another file with --pid-file, or with --log-file\n";
    assert_eq!(stderr, expected);
    assert_eq!(fs::read_to_string(&log).unwrap(), "what was logged\n");
}

#[test]
fn a_pid_file_that_a_killed_server_has_left_is_no_obstacle() {
    let mut first = Server::with("shows", &[]);
    let folder = std::mem::replace(&mut first.folder, tempfile::tempdir().unwrap());
    kill(Pid::from_raw(first.pid()), Signal::SIGKILL).unwrap();
    drop(first);
    assert!(folder.path().join("pid").exists());
    let mut second = Server::command(&folder, &[]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(second.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let own = fs::read_to_string(folder.path().join("pid")).unwrap();
    assert_eq!(own, format!("{}\n", second.id()));
    kill(Pid::from_raw(second.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(second.wait().unwrap().success());
}

#[test]
fn a_daemon_serves_after_its_command_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--daemon", "--finger", &finger("shows"), "--bind", "127.0.0.1"];
    let output = Server::command(&folder, &arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    let (ready, pid) = said.trim_end().rsplit_once(", process ").expect(&said);
    let daemon = Daemon(pid.parse().unwrap());
    let address = ready.strip_prefix("listening on tcp ").unwrap().parse().unwrap();
    let own = fs::read_to_string(folder.path().join("pid")).unwrap();
    assert_eq!(own.trim_end(), pid);
    let mut stream = connect(address);
    stream.write_all(b"alice\r\n").unwrap();
    assert_eq!(rest(stream), "[--][alice]\r\n");
    // A second one is told in the foreground.
    let second = Server::command(&folder, &arguments).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains(&format!("process {pid}, holds")));
    drop(daemon);
    wait_until("its file is gone", || (!folder.path().join("pid").exists()).then_some(()));
    wait_for_end(pid);
}

/// A daemon's number. Dropping it ends the daemon: it must not outlive a test that fails.
struct Daemon(i32);

impl Drop for Daemon {
    fn drop(&mut self) {
        kill(Pid::from_raw(self.0), Signal::SIGTERM).unwrap();
    }
}

#[test]
fn without_finger_the_answer_is_built_in_and_the_log_begins_with_that() {
    let server = Server::start(&["--built-in"]);
    let answer = server.ask("root\r\n");
    assert!(answer.starts_with("Login: root           \t\t\tName: "), "{answer}");
    assert!(answer.contains("\r\nDirectory: /root"), "{answer}");
    assert_eq!(server.ask("no-such-user\r\n"), "finger: no-such-user: no such user.\r\n");
    assert!(server.ask("\r\n").ends_with("\r\n"));
    let log = fs::read_to_string(server.folder.path().join("log")).unwrap();
    let first = log.lines().next().unwrap();
    assert!(first.ends_with("answers are built in, from the user database and the login records"));
}

#[test]
fn the_client_prints_everything_until_the_server_closes() {
    let server = Server::with("shows", &[]);
    let port = server.port();
    for (arguments, answer) in [
        (&["--login", "alice"][..], "[--][alice]\n"),
        (&["--login", "alice", "--verbose"], "[-l][--][alice]\n"),
        (&[], "(no arguments)\n"),
    ] {
        let asked = [&["query", "--host", "127.0.0.1", "--port", &port], arguments].concat();
        let ran = run(&asked);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, answer), "{}", ran.stderr);
    }
    // From a server that is slow, long-winded and malicious.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let asking = ["query", "--host", "localhost", "--port", &port, "--login", "alice"];
    let answered = |answer: &[u8]| {
        std::thread::scope(|scope| {
            let client = scope.spawn(|| run(&asking));
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut query = [0; 7];
            stream.read_exact(&mut query).unwrap();
            assert_eq!(&query, b"alice\r\n");
            for piece in answer.chunks(50_000) {
                stream.write_all(piece).unwrap();
            }
            if answer.is_empty() {
                socket2::SockRef::from(&stream)
                    .set_linger(Some(std::time::Duration::ZERO))
                    .unwrap();
            }
            drop(stream);
            client.join().unwrap()
        })
    };
    let long = "0123456789\r\n".repeat(100_000);
    assert_eq!(answered(long.as_bytes()).stdout, "0123456789\n".repeat(100_000));
    assert_eq!(answered(b"\x1b[2Jhello\r\nno end").stdout, "\\u{1b}[2Jhello\nno end");
    let ran = answered(b"");
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains(" is not whole: connection reset by peer\n"), "{ran:?}");
}

/// In the words of the other labs.
#[test]
fn an_error_of_the_system_ends_with_what_to_do() {
    let server = Server::with("shows", &[]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let port = server.port();
    let mut client = Command::new(PROGRAM);
    let output = client
        .args(["query", "--host", "127.0.0.1", "--port", &port])
        .stdout(full)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.ends_with("; make room on the disk, or name a file on another\n"), "{stderr}");
    assert!(!stderr.contains("os error"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_cannot_be_done_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, reason) in [
        (&["--bind", "127.0.0.1", "--port", &port][..], "address already in use"),
        (
            &["--finger", "/nowhere/finger"],
            "there is no program; install finger, or use --built-in",
        ),
        (&["--user", "no such user"], "there is no user no such user"),
        (&["--log-file", "/dev/null"], "/dev/null is not a file of ours"),
        (&["--pid-file", "/nowhere/pid"], "cannot open /nowhere/pid: no such file or directory"),
    ] {
        // The last of two values counts, but clap wants one: take the command's own away.
        let own = ["--pid-file", "--log-file", "--port", "--user"];
        let given = arguments[0];
        let mut words = vec!["serve".to_owned()];
        for option in own.iter().filter(|option| **option != given && !arguments.contains(option)) {
            let value = match *option {
                "--port" => "0".to_owned(),
                "--user" if nix::unistd::geteuid().is_root() => "root".to_owned(),
                "--user" => continue,
                file => folder.path().join(file).display().to_string(),
            };
            words.extend([(*option).to_owned(), value]);
        }
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let output = Command::new(PROGRAM).args(&words).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("fingerd: ") && stderr.contains(reason), "{stderr}");
    }
    let ran = run(&["query", "--host", "127.0.0.1", "--login", "a\r\nb"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("--login has control characters in it"), "{ran:?}");
}

#[test]
fn a_number_that_cannot_be_is_refused_in_words() {
    for (port, words) in [("x", "it takes a whole number"), ("99999", "from 0 to 65535")] {
        let output = Command::new(env!("CARGO_BIN_EXE_fingerd"))
            .args(["serve", "--port", port])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
}
