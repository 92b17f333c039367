//! Real processes on loopback: the three verbs, the servers and the client.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use causal_mail::ordering::Order;
use causal_mail::post::session::{Options, Session, SessionError};
use causal_mail::post::wire::{FromPeer, RUN, ToClient, ToServer, read_frame, write_frame};
use common::post::{Post, address, files, read_all};
use common::{CAUSAL, ONCE, PROGRAM};
use labs::testing::{wait_until, with_hosts};
use netkit::membership::Handshake;
use netkit::{CloseReason, ConnectionId, Limits, Membership, Net, Outgoing, Peer, Secret, Service};
use serde_json::json;

const TEN_SECONDS: Duration = Duration::from_secs(10);

#[test]
fn a_run_holds_and_is_judged_again_from_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let ran = PROGRAM.ran(&["run", "--trace", path.to_str().unwrap()]);
    assert!(ran.holds() && ran.status == 0, "{}", ran.report);
    assert_eq!(ran.report["messages"]["ACK"], json!({"measured": 9, "predicted": 9}));
    assert_eq!(serde_json::to_value(PROGRAM.verified(&path)).unwrap(), ran.report["properties"]);
}

#[test]
fn any_number_of_processes_is_servers_and_their_users() {
    for (processes, servers, users) in [(3, 1, 2), (4, 2, 2), (5, 2, 3), (6, 3, 3), (8, 3, 5)] {
        let ran = PROGRAM.ran(&["simulate", "--processes", &processes.to_string()]);
        assert!(ran.holds() && ran.status == 0, "{}", ran.report);
        let result = &ran.report["result"];
        assert_eq!((&result["servers"], &result["users"]), (&json!(servers), &json!(users)));
    }
    let ran = PROGRAM.ran(&["check", "--processes", "5"]);
    assert!(ran.holds() && ran.status == 0, "{}", ran.report);
    let ran = PROGRAM.ran(&["simulate", "--users", "4"]);
    assert_eq!(ran.report["processes"], json!(15));
}

#[test]
fn a_slow_way_shows_the_anomaly_and_the_clock_cures_it() {
    for (order, status, read) in [("none", 1, json!([2, 0])), ("causal", 0, json!([0, 2]))] {
        let ran = PROGRAM.ran(&["run", "--order", order, "--faults", "delay 0->2 300ms"]);
        assert_eq!(ran.status, status, "{order}: {}", ran.report);
        assert_eq!(*ran.verdict(CAUSAL), status == 0);
        assert_eq!(ran.report["result"]["read"][5], read);
    }
}

#[test]
fn a_mistake_shows_in_a_real_run() {
    let ran = PROGRAM.ran(&["run", "--broken", "waits-for-others", "--timeout", "2"]);
    assert_eq!(ran.status, 1, "{}", ran.report);
}

/// With the seed that is taken unless told otherwise: what the README shows.
#[test]
fn shorter_clocks_fail_as_the_readme_says() {
    for (order, causal, once) in [("scalar", false, true), ("vector", true, false)] {
        let world = ["simulate", "--traffic", "triangle", "--loss", "10%"];
        let ran = PROGRAM.ran(&[&world[..], &["--order", order]].concat());
        assert_eq!(ran.status, 1, "{order}: {}", ran.report);
        assert_eq!([ran.verdict(CAUSAL), ran.verdict(ONCE)], [causal, once], "{order}");
    }
}

#[test]
fn many_simulated_runs_are_one_report() {
    let ran = PROGRAM.output(&["simulate", "--runs", "20", "--power-cuts", "3", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((ran.status.code(), &report["result"]["runs"]), (Some(0), &json!(20)));
}

#[test]
fn many_runs_that_are_interrupted_say_so() {
    let ran = PROGRAM.start(&["simulate", "--runs", "100000", "--users", "5"]).interrupt();
    assert_eq!(ran.status, 2, "{}", ran.report);
    assert!(ran.problems().contains("interrupted"), "{}", ran.report);
    assert!(ran.report["result"]["runs"].as_u64().unwrap() < 100_000, "{}", ran.report);
}

#[test]
fn after_the_greatest_seed_comes_the_first() {
    let seed = u64::MAX.to_string();
    let ran = PROGRAM.output(&["simulate", "--runs", "3", "--seed", &seed]);
    let text = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{text} {}", String::from_utf8_lossy(&ran.stderr));
    assert!(text.contains("in each of 3 runs"), "{text}");
}

/// Where nothing arrives, nothing comes to rest: neither a violation nor a proof of anything.
#[test]
fn runs_without_an_end_are_not_judged() {
    let ran = PROGRAM.output(&["simulate", "--runs", "2", "--loss", "100%", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let holds: Vec<_> =
        report["properties"].as_array().unwrap().iter().map(|v| v["holds"].clone()).collect();
    let (yes, open) = (json!(true), json!(null));
    assert_eq!(holds[..4], [yes.clone(), yes.clone(), open.clone(), yes], "{report}");
    assert_eq!(holds[6], open, "{report}");
    let detail = report["properties"][2]["detail"].as_str().unwrap();
    let expected = "not judged in 2 of 2 runs; seed 1: ";
    assert!(detail.starts_with(expected) && detail.contains("1000000 events"), "{detail}");
    assert_eq!(ran.status.code(), Some(2));
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    for (arguments, reason) in [
        (&["simulate", "--mails", "0"][..], "0 mails, and a run has 1 to 16384"),
        (
            &["simulate", "--servers", "0"],
            "'0' for '--servers <S>': it takes a whole number from 1 to 1000",
        ),
        (&["simulate", "--servers", "2000"], "'2000' for '--servers <S>'"),
        (&["simulate", "--servers", "2", "--processes", "5"], "the other options mean 4"),
        (&["run", "-n", "2"], "causal-mail: --processes 2: that makes 1 user, and the triangle"),
        (&["run", "--processes", "4"], "--processes 4: that makes 2 users"),
        (&["simulate", "-n", "2"], "causal-mail: --processes 2: 1 user, and nobody to write to"),
        (&["simulate", "--servers", "1", "--users", "1"], "nobody to write to"),
        (&["simulate", "-n", "9000"], "causal-mail: --processes 9000: 53982 mails, and a run has"),
        (&["run", "--servers", "2"], "causal-mail: --servers 2: that makes 2 users"),
        (&["run", "--mails", "3"], "--mails: the triangle has three mails"),
        (&["check", "--answers", "1"], "--answers: the triangle has three mails"),
        (&["simulate", "--traffic", "triangle", "--mails", "2"], "take --traffic random"),
        (&["run", "--runs", "3"], "--runs: only in `simulate`"),
        (&["simulate", "--order", "vector", "--stamps", "incremental"], "take --stamps full"),
        (
            &["client", "localhost", "1", "--address", "a@b.c", "--order", "scalar"],
            "[possible values: none, fifo, causal]",
        ),
        (&["simulate", "--slow", "0->9 5"], "--slow: there is no p9"),
        (&["simulate", "--slow", "5"], "write the channels and the milliseconds"),
        (&["simulate", "--restarts", "3"], "--restarts: only in `check`"),
        (&["server", "0", "a..org", "nowhere"], "is no domain"),
        (&["server", "0", "a.org", "/nowhere/at/all"], "No such file"),
        (&["client", "localhost", "1", "--address", "alice"], "write NAME@DOMAIN"),
        (&["client", "127.0.0.1", "1", "--address", "a@b.c", "--patience", "0"], "no password"),
    ] {
        let output = PROGRAM.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_demo_shows_the_anomaly_and_the_cure() {
    let output = PROGRAM.output(&["demo"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("--order none:   Carol read the mails of bob, then alice"), "{text}");
    assert!(text.contains("--order causal: Carol read the mails of alice, then bob"), "{text}");
    assert!(text.contains("1.bob@b.org of bob@b.org waits for mail 1 of alice@a.org to you"));
}

/// The processes that work in this folder.
fn at_work_in(folder: &std::path::Path) -> usize {
    let works_there = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|place| place.starts_with(folder))
    };
    fs::read_dir("/proc").unwrap().flatten().filter(works_there).count()
}

#[test]
fn a_demo_that_is_ended_leaves_no_server_behind() {
    for (signal, status, left) in [("TERM", Some(2), 0), ("INT", Some(2), 0), ("KILL", None, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = PROGRAM.command();
        demo.arg("demo").env("TMPDIR", folder.path());
        let mut demo = demo.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("its servers are there", || at_work_in(folder.path()) == 3);
        let kill = Command::new("kill").args(["-s", signal, &demo.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert_eq!(demo.wait().unwrap().code(), status, "{signal}");
        wait_until("nothing works there", || at_work_in(folder.path()) == 0);
        // Nobody can clean up after `kill -9`.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), left, "{signal}");
        let mut said = String::new();
        demo.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.is_none() || said.contains("interrupted: the demonstration"), "{said}");
    }
}

#[test]
fn a_pipe_of_commands_is_a_client() {
    let post = Post::up(2, &["alice", "bob"]);
    let sent = post.client(
        0,
        "alice",
        "send bob@b.org, alice@a.org\nHello: you @ all\n\n..dots\n\u{1b}[31mžluť\n.\n\
         send bob@b.org -- second\nwait\nread\nclock\nheld\nquit\n",
    );
    let text = String::from_utf8(sent.stdout).unwrap();
    assert_eq!(sent.status.code(), Some(0), "{text}");
    assert!(text.contains("sent 1.alice@a.org\nsent 2.alice@a.org\n1 unread\n"), "{text}");
    assert!(text.contains("\n\n  Hello: you @ all\n\n  .dots\n  \\u{1b}[31mžluť\n---"), "{text}");
    assert!(text.contains("alice@a.org            1          2"), "{text}");
    let read = post.client(1, "bob", "wait 2\nread\nread\n");
    let text = String::from_utf8(read.stdout).unwrap();
    assert!(text.contains("To: alice@a.org, bob@b.org"), "{text}");
    assert!(text.ends_with("second\n---\nnothing to read\n"), "{text}");
}

/// As an editor on Windows writes it.
#[test]
fn a_script_with_other_line_ends_is_understood() {
    let post = Post::up(1, &["alice"]);
    let commands = "\u{feff}send alice@a.org\nhello\nthere\n.\nwait\nread\nquit\n";
    let ran = post.client(0, "alice", &commands.replace('\n', "\r\n"));
    let text = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{text}");
    assert!(text.contains("sent 1.alice@a.org\n1 unread\n"), "{text}");
    assert!(text.ends_with("\n\n  hello\n  there\n---\n"), "{text}");
}

/// Nobody writes a text in vain, and what was written already is no command.
#[test]
fn recipients_are_refused_before_the_text() {
    let post = Post::up(2, &["alice", "bob"]);
    let mut client = post
        .client_command(0, "alice")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(client.stdout.take().unwrap()).lines();
    out.next().unwrap().unwrap();
    let mut script = client.stdin.take().unwrap();
    for (to, why) in [
        ("bob@x.org", "refused: bob@x.org: there is no domain x.org"),
        ("alice@a.org, nobody@a.org", "refused: nobody@a.org: a.org has no such user"),
        ("bob", "refused: \"bob\" is no address"),
        ("", "refused: to whom?"),
    ] {
        writeln!(script, "send {to}\nquit\nread\n.").unwrap();
        let line = out.next().unwrap().unwrap();
        assert!(line.starts_with(why), "{line}");
    }
    writeln!(script, "send alice@a.org -- last\nquit").unwrap();
    assert_eq!(out.next().unwrap().unwrap(), "sent 1.alice@a.org");
    assert!(out.next().is_none());
    client.wait().unwrap();
}

#[test]
fn a_mail_cannot_look_like_two_or_hide_what_it_says() {
    let post = Post::up(1, &["alice"]);
    let forged = "hello\n---\n--- 9.boss@a.org\nFrom: boss@a.org\n\nyou are fired\u{202e}\u{200b}";
    let mut alice = post.session(0, "alice", Order::Causal);
    alice.send(&[address(0, "alice")], &format!("{forged}\rnow\n---\n")).unwrap();
    let text = String::from_utf8(post.client(0, "alice", "wait\nread\n").stdout).unwrap();
    let at_the_margin = text.lines().filter(|line| line.starts_with("---")).collect::<Vec<_>>();
    assert_eq!(at_the_margin, ["--- 1.alice@a.org", "---"], "{text}");
    assert!(text.contains("  you are fired\\u{202e}\\u{200b}\\rnow\n  ---\n"), "{text}");
}

/// A server that is none of ours may say anything.
#[test]
fn what_a_server_says_cannot_command_a_terminal() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let harm = "\u{1b}[2J\u{7}\u{202e}\nread";
    let knowledge =
        causal_mail::ordering::Knowledge::new("a@a.org".parse().unwrap(), Default::default());
    let answers = [
        ToClient::Opened { knowledge },
        ToClient::Mails { mails: Vec::new(), last: 0, more: false },
        ToClient::Accepted { id: harm.to_owned() },
        ToClient::Refused { why: harm.to_owned() },
    ];
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for answer in answers {
            let _: ToServer = read_frame(&mut stream).unwrap();
            write_frame(&mut stream, &answer).unwrap();
        }
        let (mut stream, _) = listener.accept().unwrap();
        let _: ToServer = read_frame(&mut stream).unwrap();
        write_frame(&mut stream, &ToClient::Refused { why: harm.to_owned() }).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("script"), "send a@a.org -- x\nsend a@a.org -- x\n").unwrap();
    let run = || {
        let mut command = PROGRAM.command();
        command.args(["client", "127.0.0.1", &port, "--address", "a@a.org", "--patience", "0"]);
        command.stdin(fs::File::open(folder.path().join("script")).unwrap());
        command.env("CAUSAL_MAIL_PASSWORD", "x").output().unwrap()
    };
    let escaped = "\\u{1b}[2J\\u{7}\\u{202e}\\nread";
    let said = String::from_utf8(run().stdout).unwrap();
    assert!(said.ends_with(&format!("sent {escaped}\nrefused: {escaped}\n")), "{said:?}");
    let said = String::from_utf8(run().stderr).unwrap();
    assert_eq!(said, format!("causal-mail: {escaped}\n"));
    server.join().unwrap();
}

/// Fifty at once, for the box of one who types the right password, and for another's.
#[test]
fn those_who_guess_lock_nobody_out() {
    let post = Post::up(1, &["alice", "bob"]);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let guess = |user: &'static str| {
        while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
            let options = post.options(0, user, Order::Causal);
            let options =
                Options { password: "guess".to_owned(), patience: Duration::ZERO, ..options };
            assert!(Session::open(options).is_err());
        }
    };
    std::thread::scope(|scope| {
        for n in 0..50 {
            scope.spawn(move || guess(if n % 2 == 0 { "alice" } else { "bob" }));
        }
        wait_until("they guess", || post.said(0).lines().count() > 30);
        for user in ["alice", "bob", "alice"] {
            let options = post.options(0, user, Order::Causal);
            Session::open(Options { patience: TEN_SECONDS, ..options }).unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

#[test]
fn a_client_that_is_to_come_again_does() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        for answer in [ToClient::Busy, ToClient::Busy, ToClient::Refused { why: "no".to_owned() }] {
            let (mut stream, _) = listener.accept().unwrap();
            let _: ToServer = read_frame(&mut stream).unwrap();
            write_frame(&mut stream, &answer).unwrap();
        }
    });
    let post = Post::new(1, &["alice"]);
    let options = Options { port, ..post.options(0, "alice", Order::Causal) };
    assert_eq!(Session::open(options).unwrap_err().to_string(), "no");
    server.join().unwrap();
}

#[test]
fn what_cannot_be_sent_is_answered_clearly_and_not_stored() {
    let mut post = Post::new(2, &["alice"]);
    post.start(0, &["--max-message", "10"]);
    let said = post.client(
        0,
        "alice",
        "send bob@x.org -- hello\nsend bob -- hello\nsend no--body@a.org -- hello\n\
         send alice@a.org -- longer than ten\nsend -- hello\nfly\nread\n",
    );
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.status.code(), Some(1), "{text}");
    for reason in [
        "refused: bob@x.org: there is no domain x.org; there are a.org and b.org",
        "refused: \"bob\" is no address: write NAME@DOMAIN",
        "refused: no--body@a.org: a.org has no such user",
        "refused: a text of 15 bytes: this server takes 10",
        "refused: to whom?",
        "refused: there is no command \"fly\"",
        "nothing to read",
    ] {
        assert!(text.contains(reason), "{reason}: {text}");
    }
    assert_eq!(files(&post.path("mail-a.org/boxes/alice/new")), 0);
    assert_eq!(files(&post.path("mail-a.org/queue/b.org")), 0);
}

#[test]
fn any_text_comes_as_it_was_sent() {
    let post = Post::up(2, &["alice", "bob"]);
    let mut alice = post.session(0, "alice", Order::Causal);
    let mut bob = post.session(1, "bob", Order::Causal);
    let long = "x".repeat(256 << 10);
    let bodies = ["", "\n\n.\n", "a:b@c\r\n\0\u{7f}", "žluťoučký 🐎", long.as_str()];
    for body in bodies {
        alice.send(&[address(1, "bob")], body).unwrap();
    }
    assert_eq!(bob.wait(bodies.len(), TEN_SECONDS).unwrap(), bodies.len());
    assert_eq!(read_all(&mut bob).unwrap(), bodies);
    let too_long = alice.send(&[address(1, "bob")], &format!("{long}x")).unwrap_err();
    assert!(too_long.to_string().contains("this server takes 262144"), "{too_long}");
}

#[test]
fn a_server_that_is_down_gets_its_mail_when_it_is_back() {
    let mut post = Post::up(2, &["alice", "bob"]);
    post.kill(1);
    let mut alice = post.session(0, "alice", Order::Causal);
    for body in ["one", "two", "three"] {
        alice.send(&[address(1, "bob")], body).unwrap();
    }
    assert_eq!(files(&post.path("mail-a.org/queue/b.org")), 3);
    post.start(1, &[]);
    let mut bob = post.session(1, "bob", Order::Causal);
    assert_eq!(bob.wait(3, TEN_SECONDS).unwrap(), 3);
    assert_eq!(read_all(&mut bob).unwrap(), ["one", "two", "three"]);
    wait_until("the queue is empty", || files(&post.path("mail-a.org/queue/b.org")) == 0);
}

/// While the server runs, and when it starts again.
#[test]
fn what_is_odd_in_one_box_or_queue_stops_nobody_else() {
    let mut post = Post::up(2, &["alice", "bob"]);
    post.kill(1);
    let mut alice = post.session(0, "alice", Order::Causal);
    let bob = address(1, "bob");
    for body in ["one", "two"] {
        alice.send(&[bob.clone(), address(0, "alice")], body).unwrap();
    }
    fs::create_dir_all(post.path("mail-b.org/boxes/bob/new/sub")).unwrap();
    fs::write(post.path("mail-b.org/boxes/bob/cur/2.x.host:2,S"), b"From: x\n\nh\xe9llo\n")
        .unwrap();
    // What stands in the log is put into its file again; one that is stopped leaves a snapshot.
    post.stop(0);
    fs::write(post.path("mail-a.org/queue/b.org/0000000001.json"), "{").unwrap();
    fs::remove_dir_all(post.path("mail-a.org/boxes/alice/new")).unwrap();
    fs::write(post.path("mail-a.org/boxes/alice/new"), "").unwrap();
    post.start(0, &[]);
    post.start(1, &[]);
    let alice = Options { patience: Duration::ZERO, ..post.options(0, "alice", Order::Causal) };
    assert!(refused(alice).contains("the box of alice cannot be used now"));
    // The first mail is lost with its file: who reads in causal order waits for it.
    let mut bob = post.session(1, "bob", Order::None);
    assert_eq!(bob.wait(1, TEN_SECONDS).unwrap(), 1);
    assert_eq!(read_all(&mut bob).unwrap(), ["two"]);
    assert!(post.said(0).contains("0000000001.json is damaged"), "{}", post.said(0));
    assert!(post.said(1).contains("new/sub is left alone"), "{}", post.said(1));
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    let mut post = Post::new(2, &["alice", "bob"]);
    let [a, b] = [post.ports[0], post.ports[1]];
    fs::write(post.path("servers"), format!("127.0.0.1:{a}:a.org\ntwin:{b}:b.org\n")).unwrap();
    fs::write(post.path("hosts"), "127.0.0.1 twin\n127.0.0.2 twin\n").unwrap();
    let Some(command) = with_hosts(&post.command(0, &[]), &post.path("hosts")) else {
        return eprintln!("left out: no user namespaces here");
    };
    // At the second of the two.
    post.start(1, &["--bind", "127.0.0.2"]);
    post.start_as(0, command);
    let mut alice = post.session(0, "alice", Order::Causal);
    alice.send(&[address(1, "bob")], "hello").unwrap();
    wait_until("bob has it", || files(&post.path("mail-b.org/boxes/bob/new")) == 1);
}

#[test]
fn a_mail_to_nobody_comes_back() {
    let post = Post::up(2, &["alice"]);
    let mut alice = post.session(0, "alice", Order::Causal);
    alice.send(&[address(1, "nobody"), address(1, "alice")], "hello").unwrap();
    assert_eq!(alice.wait(1, TEN_SECONDS).unwrap(), 1);
    let read = read_all(&mut alice).unwrap();
    let notice =
        "Your mail 1.alice@a.org was not delivered to nobody@b.org: there is no such user.\n";
    assert_eq!(read, [notice]);
}

fn refused(options: Options) -> String {
    match Session::open(Options { patience: Duration::ZERO, ..options }) {
        Err(SessionError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_box_opens_with_its_own_password_only() {
    let post = Post::up(1, &["alice", "bob"]);
    let options = |user| post.options(0, user, Order::Causal);
    let wrong = "no such box, or a wrong password";
    assert_eq!(refused(Options { password: "bob".to_owned(), ..options("alice") }), wrong);
    assert_eq!(refused(Options { password: String::new(), ..options("alice") }), wrong);
    let nobody = Options { address: "nobody@a.org".parse().unwrap(), ..options("alice") };
    assert_eq!(refused(nobody), wrong);
    let elsewhere = Options { address: "alice@b.org".parse().unwrap(), ..options("alice") };
    assert_eq!(refused(elsewhere), "this is the server of a.org, and not of b.org");
    // The server's own box has no password.
    let postmaster = Options { address: "postmaster@a.org".parse().unwrap(), ..options("nobody") };
    assert_eq!(refused(postmaster), wrong);
    let stored = fs::read_to_string(post.path("passwords")).unwrap();
    assert!(stored.contains("alice:$argon2id$"), "{stored}");
}

/// Who is thrown out does not come back by itself: two clients would throw each other out for ever.
#[test]
fn the_second_client_of_a_box_has_it_and_the_first_is_over() {
    let post = Post::up(1, &["alice"]);
    let open = || post.session(0, "alice", Order::Causal);
    let evicted =
        "another client has opened the box of alice@a.org: start this one again to have it back";
    let is_evicted = |result: Result<usize, SessionError>| {
        assert_eq!(result.unwrap_err().to_string(), evicted);
    };
    let (mut waits, mut second) = (open(), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waits.wait(1, TEN_SECONDS * 3));
        second = Some(open());
        is_evicted(waiting.join().unwrap());
    });
    is_evicted(waits.fetch());
    let (mut asks, mut third) = (second.unwrap(), open());
    is_evicted(asks.fetch());
    is_evicted(asks.wait(1, TEN_SECONDS));
    // Neither has disturbed the last one.
    assert_eq!(third.fetch().unwrap(), 0);
}

#[test]
fn a_client_that_is_thrown_out_says_so_in_one_line() {
    let post = Post::up(1, &["alice"]);
    let mut client = post
        .client_command(0, "alice")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "box of alice@a.org: 0 unread, causal order\n");
    let mut second = post.session(0, "alice", Order::Causal);
    client.stdin.as_mut().unwrap().write_all(b"wait\nread\n").unwrap();
    let output = client.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr,
        "causal-mail: another client has opened the box of alice@a.org: start this one again to have it back\n"
    );
    assert_eq!(second.fetch().unwrap(), 0);
}

/// The protocol has no word that names another box, and a sender is whoever opened the box.
#[test]
fn an_open_box_reads_and_sends_for_its_own_user_only() {
    let post = Post::up(1, &["alice", "bob", "mallory"]);
    let mut alice = post.session(0, "alice", Order::Causal);
    alice.send(&[address(0, "bob")], "for Bob").unwrap();
    let mut mallory = post.session(0, "mallory", Order::Causal);
    assert_eq!(mallory.fetch().unwrap(), 0);
    // To confirm another's mail has no effect on the other's box.
    let mut stream = TcpStream::connect(("127.0.0.1", post.ports[0])).unwrap();
    open(&mut stream, "mallory");
    write_frame(&mut stream, &ToServer::Read { id: "1.alice@a.org".to_owned() }).unwrap();
    assert!(matches!(read_frame(&mut stream).unwrap(), ToClient::Confirmed));
    write_frame(&mut stream, &ToServer::Fetch { after: 0 }).unwrap();
    let ToClient::Mails { mails, .. } = read_frame(&mut stream).unwrap() else { panic!() };
    assert!(mails.is_empty());
    let mut bob = post.session(0, "bob", Order::Causal);
    assert_eq!(bob.fetch().unwrap(), 1);
    assert_eq!(bob.next_mail().unwrap().envelope.from.to_string(), "alice@a.org");
}

fn open(stream: &mut TcpStream, user: &str) {
    let (address, password) = (address(0, user), user.to_owned());
    write_frame(stream, &ToServer::Open { address, password }).unwrap();
    assert!(matches!(read_frame(stream).unwrap(), ToClient::Opened { .. }));
}

/// Whether the server closes the connection, or said nothing but a refusal before it did.
fn is_closed(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(TEN_SECONDS)).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn strangers_cannot_speak_as_servers_and_disturb_nobody() {
    let post = Post::up(2, &["alice", "bob"]);
    let address = SocketAddr::from(([127, 0, 0, 1], post.ports[1]));
    let mut alice = post.session(0, "alice", Order::Causal);
    alice.send(&[common::post::address(1, "bob")], "true").unwrap();
    let queued = causal_mail_of_alice();
    // A mail without any greeting; text; a client's word before the password.
    let mut stream = TcpStream::connect(address).unwrap();
    write_frame(&mut stream, &queued).unwrap();
    assert!(is_closed(stream));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(is_closed(stream));
    let mut stream = TcpStream::connect(address).unwrap();
    write_frame(&mut stream, &ToServer::Fetch { after: 0 }).unwrap();
    assert!(is_closed(stream));
    // The handshake with another secret.
    let membership = Membership { run: RUN.to_owned(), secret: Secret::random().unwrap(), me: 0 };
    let (mut handshake, hello) = Handshake::initiate(membership, 1).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write_raw(&mut stream, &hello);
    let challenge = read_raw(&mut stream);
    assert!(handshake.on_frame(&challenge).is_err(), "we notice that it is another secret");
    // What it begins with names the version; 3 is a proof.
    write_raw(&mut stream, &[&hello[..5], &[3], &[7; 32]].concat());
    assert!(is_closed(stream));
    let mut bob = post.session(1, "bob", Order::Causal);
    assert_eq!(bob.wait(1, TEN_SECONDS).unwrap(), 1);
    assert_eq!(read_all(&mut bob).unwrap(), ["true"]);
    assert!(post.said(1).contains("its proof does not hold"), "{}", post.said(1));
}

/// A server of c.org that forwards a mail of Alice, who is at a.org, and waits for what becomes of it.
struct Impostor;

impl Service for Impostor {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, _: &Peer) {
        net.send_value(connection, &causal_mail_of_alice()).unwrap();
    }

    fn on_frame(&mut self, _: &mut Net, _: ConnectionId, body: &[u8]) {
        panic!("it was answered: {body:?}");
    }

    fn on_close(&mut self, net: &mut Net, _: ConnectionId, _: CloseReason) {
        net.stop();
    }
}

/// A member cannot forward in another domain's name.
#[test]
fn a_server_speaks_for_its_own_domain_only() {
    let mut post = Post::new(3, &["alice", "bob"]);
    post.start(1, &[]);
    let secret = causal_mail::post::secret::read(&post.path("secret")).unwrap();
    let membership = Membership { run: RUN.to_owned(), secret, me: 2 };
    let mut net = Net::new(Limits::default()).unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], post.ports[1]));
    net.connect(to, Outgoing::Member { membership, to: 1 }).unwrap();
    net.run(&mut Impostor).unwrap();
    assert_eq!(files(&post.path("mail-b.org/boxes/bob/new")), 0);
    let said = post.said(1);
    assert!(said.contains("c.org forwards a mail of alice@a.org: refused"), "{said}");
}

/// A mail that says it is from Alice.
fn causal_mail_of_alice() -> FromPeer {
    let mut knowledge =
        causal_mail::ordering::Knowledge::new("alice@a.org".parse().unwrap(), Default::default());
    let envelope = knowledge.write(["bob@b.org".parse().unwrap()].into());
    let mail = causal_mail::post::mail::Mail { n: 1, sent_us: 1, envelope, body: "false".into() };
    FromPeer::Forward(Arc::new(mail))
}

fn write_raw(stream: &mut TcpStream, body: &[u8]) {
    stream.write_all(&(body.len() as u32).to_be_bytes()).unwrap();
    stream.write_all(body).unwrap();
}

fn read_raw(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let mut body = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

#[test]
fn a_second_server_on_a_store_or_a_port_says_so() {
    let post = Post::up(1, &["alice"]);
    let output = post.command(0, &[]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("mail-a.org is in use by another server"), "{stderr}");
    let output = post.command(0, &["--store", "other"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("is another server running there?"), "{stderr}");
}

#[test]
fn passwords_and_secrets_are_made_by_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command: Command = PROGRAM.command();
        let typed = folder.path().join("typed");
        fs::write(&typed, "a password\r\n").unwrap();
        let output = command
            .current_dir(folder.path())
            .args(arguments)
            .stdin(fs::File::open(typed).unwrap())
            .output();
        output.unwrap().status.code()
    };
    assert_eq!(run(&["secret", "secret"]), Some(0));
    assert_eq!(run(&["secret", "secret"]), Some(2), "an old one is not overwritten");
    assert_eq!(run(&["passwd", "passwords", "alice"]), Some(0));
    assert_eq!(run(&["passwd", "passwords", "no/name"]), Some(2));
    let passwords = causal_mail::post::passwords::Passwords::read(&folder.path().join("passwords"));
    let (hash, _) = passwords.unwrap().hash_of("alice");
    assert!(causal_mail::post::passwords::matches("a password", &hash));
}
