//! The program itself, on loopback, against sockets of the test: what `nc` does is done by hand, so
//! that nothing need be installed.

mod common;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{PATIENCE, PROGRAM, Server, refused, run};
use nix::sys::signal::Signal;
use socket2::{Domain, SockRef, Socket, Type};

const MANY: usize = 200;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.loopback()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asserts that exactly so many messages are acknowledged.
fn assert_acknowledged(stream: &mut TcpStream, times: usize) {
    let mut answer = vec![0; 3 * times];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, b"OK\n".repeat(times));
}

/// Asserts that the server closes, having said this.
fn assert_ends(mut stream: TcpStream, said: &str) {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, said);
}

#[test]
fn a_client_connects_is_acknowledged_and_closes() {
    let mut server = Server::tcp(&[]);
    let port = server.port().to_string();
    for host in ["127.0.0.1", "localhost"] {
        let ran = run(&["tcp-client", host, &port, "--message", "hello"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stdout.starts_with("connected to "), "{}", ran.stdout);
        assert!(ran.stdout.ends_with("sent 6 bytes\nacknowledged: OK, in 1 read\nclosed\n"));
        server.says("connected");
        server.says("message of 5 bytes in 1 read: hello");
        server.says("closed its side after 1 message; ours is closed too");
    }
    // Without a message it is the name of this machine.
    assert_eq!(run(&["tcp-client", "127.0.0.1", &port]).status, 0);
    server.says("connected");
    let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
    assert!(server.says("message of ").ends_with(&format!("in 1 read: {name}")));
}

#[test]
fn ipv6_is_served_beside_ipv4_where_there_is_any() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let (mut tcp, mut udp) = (Server::tcp(&[]), Server::udp(&[]));
    let (tcp_port, udp_port) = (tcp.port().to_string(), udp.port().to_string());
    for host in ["::1", "[::1]", "127.0.0.1"] {
        assert_eq!(run(&["tcp-client", host, &tcp_port, "--message", "a"]).status, 0);
        let shown = tcp.says("message of 1 byte in 1 read: a");
        assert!(shown.starts_with(if host.contains(':') { "[::1]:" } else { "127.0.0.1:" }));
        let ran = run(&["udp-client", host, &udp_port, "hello", "--connect", "--wait", "1"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let shown = udp.says(" 5 bytes: hello");
        assert!(shown.starts_with(if host.contains(':') { "[::1]:" } else { "127.0.0.1:" }));
    }
}

#[test]
fn two_hundred_clients_at_once_do_not_wait_for_one_that_sleeps() {
    let mut server = Server::tcp(&["--backlog", "256", "--acknowledge", "line"]);
    let mut sleeper = connect(&server);
    sleeper.write_all(b"half a mess").unwrap();
    let mut clients: Vec<_> = (0..MANY).map(|_| connect(&server)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        writeln!(client, "I am {n}").unwrap();
    }
    // In the other order, so that nobody is served only because somebody else is.
    for client in clients.iter_mut().rev() {
        assert_acknowledged(client, 1);
    }
    sleeper.write_all(b"age\n").unwrap();
    assert_acknowledged(&mut sleeper, 1);
    server.says(": half a message");
    drop(clients);
    for _ in 0..MANY {
        server.says("closed its side after 1 message");
    }
    let end = server.stop(Signal::SIGTERM);
    assert!(end.starts_with("stopped by SIGTERM: 201 clients, 201 messages, "), "{end}");
    assert!(end.ends_with("; 1 still connected"), "{end}");
}

/// `client.py` of the sheet, with these messages.
fn client_of_the_sheet(server: &Server, messages: &[&str]) -> Vec<String> {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sheet/client.py"));
    command.args(["127.0.0.1", &server.port().to_string()]).args(messages);
    let output = command.output().expect("python3 can be run");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_client_that_sends_no_end_of_line_is_answered_as_it_asks() {
    let mut server = Server::tcp(&[]);
    assert_eq!(client_of_the_sheet(&server, &["lab03", "OK"]), ["b'OK'", "b'OK'"]);
    server.says("message of 5 bytes in 1 read, no end of line: lab03");
    server.says("message of 2 bytes in 1 read, no end of line: OK");
    server.says("closed its side after 2 messages; ours is closed too");
    // One that sends lines gets a line.
    assert_eq!(client_of_the_sheet(&server, &["lab03\n"]), ["b'OK\\n'"]);
    server.says("message of 5 bytes in 1 read: lab03");
}

#[test]
fn each_read_may_be_a_message() {
    let mut server = Server::tcp(&["--acknowledge", "read"]);
    let answers = client_of_the_sheet(&server, &["lab03", "one\ntwo\n"]);
    assert_eq!(answers, ["b'OK'", "b'OK\\n'"]);
    server.says("message of 5 bytes in 1 read, no end of line: lab03");
    server.says("message of 8 bytes in 1 read: one\\ntwo\\n");
}

#[test]
fn a_line_that_does_not_end_is_told_of_once() {
    let mut server = Server::tcp(&["--acknowledge", "line"]);
    let mut client = connect(&server);
    client.write_all(b"OK").unwrap();
    server.says(" 2 bytes, no end of line yet");
    client.write_all(b"!\nnext").unwrap();
    assert_acknowledged(&mut client, 1);
    assert!(server.says("").ends_with(" message of 3 bytes in 2 reads: OK!"));
    assert!(server.says("").ends_with(" 4 bytes, no end of line yet"));
    client.shutdown(Shutdown::Write).unwrap();
    assert_ends(client, "OK\n");
}

#[test]
fn the_client_understands_the_server_of_the_sheet() {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sheet/server.py"));
    let mut server = command.stdout(Stdio::piped()).spawn().expect("python3 can be run");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.next().unwrap();
    let ran = run(&["tcp-client", "127.0.0.1", &port, "--message", "hello"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.stdout.contains("acknowledged: OK, in 1 read, without an end of line\n"),
        "{ran:?}"
    );
    assert_eq!(lines.collect::<Vec<_>>(), ["b'hello\\n'", "b''"]);
    assert!(server.wait().unwrap().success());
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let mut server = Server::with_trap("INT");
    server.signal(Signal::SIGINT);
    let mut client = connect(&server);
    client.write_all(b"hello\n").unwrap();
    assert_acknowledged(&mut client, 1);
    server.says("message of 5 bytes");
    assert!(server.stop(Signal::SIGTERM).starts_with("stopped by SIGTERM: "));
}

#[test]
fn a_message_in_single_bytes_is_one_message() {
    let mut server = Server::tcp(&[]);
    let mut client = connect(&server);
    client.set_nodelay(true).unwrap();
    for byte in "Grüße\r\n".bytes() {
        client.write_all(&[byte]).unwrap();
    }
    assert_acknowledged(&mut client, 1);
    let shown = server.says("message of 7 bytes in ");
    assert!(shown.ends_with(": Grüße"), "{shown}");
    // And several in one write are several.
    client.write_all(b"one\ntwo\nthree\n").unwrap();
    assert_acknowledged(&mut client, 3);
    for word in ["one", "two", "three"] {
        assert!(server.says("message of ").ends_with(word));
    }
}

#[test]
fn tcp_loses_nothing_of_a_message_longer_than_the_buffer() {
    let mut server = Server::tcp(&["--buffer", "100"]);
    let mut client = connect(&server);
    let text = (0..1000).map(|n| format!("{n:05}")).collect::<String>();
    writeln!(client, "{text}").unwrap();
    assert_acknowledged(&mut client, 1);
    let shown = server.says("message of 5000 bytes in ");
    assert!(shown.ends_with(&format!(" reads: {text}")), "{shown}");
    let reads: u32 = shown.split(' ').nth(6).unwrap().parse().unwrap();
    assert!((51..=5001).contains(&reads), "{reads}");
}

#[test]
fn a_stream_that_ends_without_the_end_of_a_line_ends_a_message() {
    let mut server = Server::tcp(&[]);
    let mut client = connect(&server);
    client.write_all(b"no end").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_ends(client, "OK\n");
    server.says("message of 6 bytes in 1 read: no end");
    server.says("closed its side after 1 message");
}

#[test]
fn what_could_harm_a_terminal_is_escaped() {
    let mut server = Server::tcp(&[]);
    let mut client = connect(&server);
    client.write_all(b"\x1b]0;owned\x07\xff\x9b\n").unwrap();
    assert_acknowledged(&mut client, 1);
    assert!(server.says("message of ").ends_with(r": \u{1b}]0;owned\u{7}\xff\x9b"));
}

#[test]
fn a_message_over_the_limit_is_refused_and_the_server_goes_on() {
    let mut server = Server::tcp(&["--max-message", "10"]);
    let mut client = connect(&server);
    // More than one read, so that bytes lie unread while the server refuses; one good message in
    // the first.
    client.write_all(&[&b"good\n"[..], &[b'x'; 100_000]].concat()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_ends(client, "OK\nERROR the message is too long\n");
    server.says("message of 4 bytes in 1 read: good");
    server.says("sent a message over --max-message: refused");
    server.says("closed its side after it was refused");
    let ran = run(&["tcp-client", "127.0.0.1", &server.port().to_string(), "--message", "short"]);
    assert_eq!(ran.status, 0);
    let port = server.port().to_string();
    let ran = run(&["tcp-client", "127.0.0.1", &port, "--message", "eleven char"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.ends_with("but answered: ERROR the message is too long\n"), "{ran:?}");
}

#[test]
fn clients_over_the_limit_wait_until_another_leaves() {
    let mut server = Server::tcp(&["--clients", "2"]);
    let (mut first, mut second) = (connect(&server), connect(&server));
    for client in [&mut first, &mut second] {
        client.write_all(b"hello\n").unwrap();
        assert_acknowledged(client, 1);
    }
    let mut third = connect(&server);
    third.write_all(b"third\n").unwrap();
    second.write_all(b"still here\n").unwrap();
    assert_acknowledged(&mut second, 1);
    server.says(": still here");
    drop(first);
    assert_acknowledged(&mut third, 1);
    // In this order: who waited was connected only then.
    server.says("closed its side after 1 message");
    server.says("connected");
    server.says(": third");
}

#[test]
fn a_client_that_vanishes_is_told_of_and_the_server_goes_on() {
    let mut server = Server::tcp(&[]);
    let mut client = connect(&server);
    client.write_all(b"hello\n").unwrap();
    assert_acknowledged(&mut client, 1);
    // Closing now sends a reset, as the kernel does for a program that died with unread bytes.
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    server.says("is gone: connection reset by peer");
    let mut next = connect(&server);
    next.write_all(b"next\n").unwrap();
    assert_acknowledged(&mut next, 1);
}

#[test]
fn ctrl_c_ends_a_server_with_clients_connected() {
    let server = Server::tcp(&[]);
    let mut client = connect(&server);
    client.write_all(b"hello\n").unwrap();
    assert_acknowledged(&mut client, 1);
    let end = server.stop(Signal::SIGINT);
    assert_eq!(end, "stopped by SIGINT: 1 client, 1 message, 6 bytes received; 1 still connected");
    assert_ends(client, "");
}

#[test]
fn datagrams_are_shown_with_what_was_cut_off() {
    let mut server = Server::udp(&["--buffer", "8"]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.loopback()).unwrap();
    let from = client.local_addr().unwrap();
    for (sent, shown) in [
        (&b"hello"[..], "5 bytes: hello"),
        (b"", "0 bytes: "),
        (b"12345678", "8 bytes: 12345678"),
        (b"123456789", "9 bytes, the last 1 lost (--buffer 8): 12345678"),
        (&[b'x'; 60_000], "60000 bytes, the last 59992 lost (--buffer 8): xxxxxxxx"),
        (b"\x1b[2J\xff\r\n", r"7 bytes: \u{1b}[2J\xff\r\n"),
    ] {
        client.send(sent).unwrap();
        assert_eq!(server.says(""), format!("{from} {shown}"));
    }
    let end = server.stop(Signal::SIGINT);
    assert_eq!(end, "stopped by SIGINT: 6 datagrams, 2 cut short, 36 bytes received");
}

#[test]
fn datagrams_that_came_while_the_server_stood_still_are_all_shown() {
    let mut server = Server::udp(&[]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.loopback()).unwrap();
    // More than are taken at once, and fewer than the receive buffer of a socket holds.
    server.pause();
    for n in 0..200 {
        client.send(format!("number {n}").as_bytes()).unwrap();
    }
    server.signal(Signal::SIGCONT);
    for n in 0..200 {
        assert!(server.says("").ends_with(&format!(": number {n}")));
    }
}

#[test]
fn a_flood_of_datagrams_does_not_keep_the_server_from_ending() {
    let server = Server::udp(&[]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.loopback()).unwrap();
    let flood = std::thread::spawn(move || {
        // Until nobody listens any more.
        while client.send(&[b'x'; 1000]).is_ok() {}
    });
    assert!(server.stop(Signal::SIGTERM).starts_with("stopped by SIGTERM: "));
    flood.join().unwrap();
}

#[test]
fn a_wrong_udp_port_is_noticed_only_by_a_connected_socket() {
    // Nobody is given this port meanwhile, and yet nobody listens: a socket that is connected
    // elsewhere takes nothing from others.
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    holder.connect("127.0.0.1:9").unwrap();
    let ran = run(&["udp-client", "127.0.0.1", &port, "hello"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with(&format!("sent 5 bytes to udp 127.0.0.1:{port} from port ")));
    let ran = run(&["udp-client", "127.0.0.1", &port, "hello", "--connect"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stdout.starts_with("sent 5 bytes"), "the first call does not notice: {ran:?}");
    assert_eq!(
        ran.stderr,
        format!(
            "udp-tcp: cannot reach udp 127.0.0.1:{port}: connection refused; that machine says by ICMP \
             that nobody listens on that port; start the server there, or check the port\n"
        )
    );
}

#[test]
fn the_clients_take_any_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let arguments = ["tcp-client", "127.0.0.1", &port, "--message", "hello", "--timeout", "30"];
    let serve = |answer: &'static [u8]| {
        std::thread::scope(|scope| {
            let client = scope.spawn(|| run(&arguments));
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut line = [0; 6];
            stream.read_exact(&mut line).unwrap();
            assert_eq!(&line, b"hello\n");
            for byte in answer {
                stream.write_all(&[*byte]).unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
            client.join().unwrap()
        })
    };
    assert_eq!(serve(b"OK\r\n").status, 0);
    let ran = serve(b"");
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.ends_with("did not acknowledge the message: it closed the connection\n"));
    let ran = serve(b"\x1b[2Jno\n");
    assert!(ran.stderr.ends_with("but answered: \\u{1b}[2Jno\n"), "{ran:?}");
}

#[test]
fn hold_keeps_the_connection_open_and_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| run(&["tcp-client", "127.0.0.1", &port, "--hold", "1"]));
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let early = loop {
            match stream.read(&mut [0; 1]) {
                // Linux interrupts a call with a timeout when another test stops its server.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result.map_err(|error| error.kind()),
            }
        };
        assert_eq!(early, Err(ErrorKind::WouldBlock));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 1);
        stream.write_all(b"OK\n").unwrap();
        let ran = client.join().unwrap();
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stdout.contains("\nholding for 1 s; look: ss -tn 'sport = :"), "{ran:?}");
    });
    // It does not wait for a server that has gone.
    std::thread::scope(|scope| {
        let client = scope.spawn(|| run(&["tcp-client", "127.0.0.1", &port, "--hold", "3600"]));
        drop(listener.accept().unwrap());
        let ran = client.join().unwrap();
        assert_eq!(ran.stderr, "udp-tcp: the server closed the connection while it was held\n");
        assert_eq!(ran.status, 2);
    });
}

#[test]
fn what_cannot_be_done_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let udp_port = taken_udp.local_addr().unwrap().port().to_string();
    for (arguments, reason) in [
        (&["tcp-server", "--bind", "127.0.0.1", "--port", &port][..], "address already in use"),
        (&["udp-server", "--bind", "127.0.0.1", "--port", &udp_port], "`ss -lunp 'sport = :"),
        (&["udp-server", "--bind", "192.0.2.1"], "this machine has no such address"),
        (&["tcp-client", "host.invalid", "9875"], "host.invalid has no address: "),
        (&["udp-client", "host.invalid", "9875", "x"], "check the name, or give an address"),
        (&["tcp-client", "127.0.0.1", "9", "--message", "a\nb"], "a message is one line"),
    ] {
        assert!(refused(arguments).contains(reason), "{arguments:?}");
    }
    // A port that nobody else is given, and at which nobody listens.
    let holder = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    holder.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let free = holder.local_addr().unwrap().as_socket().unwrap().port().to_string();
    let line = refused(&["tcp-client", "127.0.0.1", &free]);
    assert!(line.contains("nobody listens on that port; start the server there"), "{line}");
    let line = refused(&["udp-client", "127.0.0.1", "9", &"x".repeat(66_000)]);
    assert!(line.contains("a datagram holds at most 65507"), "{line}");
}

/// In the words of the other labs.
#[test]
fn an_error_of_the_system_ends_with_what_to_do() {
    for role in ["udp-server", "tcp-server"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut server = Command::new(PROGRAM);
        let output = server.args([role, "--port", "0"]).stdout(full).output().unwrap();
        let expected = "udp-tcp: cannot show anything: No space left on device; make room on the disk, \
                        or name a file on another\n";
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_number_that_cannot_be_is_refused_in_words() {
    for (port, words) in [("x", "it takes a whole number"), ("70000", "from 0 to 65535")] {
        let output = Command::new(env!("CARGO_BIN_EXE_udp-tcp"))
            .args(["tcp-server", "--port", port])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
}
