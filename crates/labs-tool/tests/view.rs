//! `labs view` and `labs export` as programs: what they write and refuse, and the server of a run in progress.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const HEADER: &str = r#"{"trace":2,"lab":"any","verb":"simulate","run":"r","processes":2,"seed":1,"arguments":[],"properties":[{"name":"exactly-once delivery","kind":"liveness","pattern":"exactly_once"}]}"#;
const INIT: &str = r#"{"process":0,"n":1,"clock":[1,0],"lamport":1,"at_us":0,"event":"init"}"#;
const SEND: &str = r#"{"process":0,"n":2,"clock":[2,0],"lamport":2,"at_us":1,"event":"send","peer":1,"message":{"id":"0-2","kind":"ASK","text":"Ask","bytes":4}}"#;
const RECEIVE: &str = r#"{"process":1,"n":1,"clock":[2,1],"lamport":3,"at_us":2,"event":"receive","peer":0,"message":{"id":"0-2","kind":"ASK","text":"Ask","bytes":4}}"#;

fn folder(lines: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.jsonl"), format!("{}\n", lines.join("\n"))).unwrap();
    folder
}

fn labs(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_labs"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = labs(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// It must end with status 2, one line on standard error and nothing on standard output.
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = labs(folder, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(said.starts_with("labs: ") && said.lines().count() == 1, "{said}");
    said
}

// -----------------------------------------------------------------------------------------------
// Files

#[test]
fn a_page_lies_beside_its_trace_or_where_it_is_told_to() {
    let folder = folder(&[HEADER, INIT, SEND, RECEIVE]);
    let at = folder.path();
    assert_eq!(succeeds(at, &["view", "t.jsonl", "--no-open"]), "t.html\n");
    let page = fs::read_to_string(at.join("t.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("1 message, delivered once") || page.contains("each delivered once"));
    // No other file is asked for: whatever an address would stand in.
    for address in ["http:", "https:", "src=", "url(", "@import"] {
        let without = page.replace("http://www.w3.org/2000/svg", "").replace("url(#", "");
        assert!(!without.contains(address), "the page has {address}");
    }
    assert_eq!(
        succeeds(at, &["view", "t.jsonl", "--no-open"]),
        "t.html\n",
        "an older page gives way"
    );
    assert_eq!(succeeds(at, &["view", "t.jsonl", "--no-open", "-o", "other"]), "other\n");
    assert_eq!(fs::read_to_string(at.join("other")).unwrap(), page);
}

#[test]
fn a_file_that_is_no_page_is_not_written_over() {
    let folder = folder(&[HEADER, INIT]);
    fs::write(folder.path().join("t.html"), "<!doctype html>\nmy own").unwrap();
    let said = fails(folder.path(), &["view", "t.jsonl", "--no-open"]);
    assert!(said.contains("t.html is there and no page of this program"), "{said}");
    assert_eq!(
        fs::read_to_string(folder.path().join("t.html")).unwrap(),
        "<!doctype html>\nmy own"
    );
}

#[test]
fn what_cannot_be_drawn_is_refused_with_its_line() {
    let unsent = folder(&[HEADER, INIT, &RECEIVE.replace("0-2", "0-1")]);
    let said = fails(unsent.path(), &["view", "t.jsonl", "--no-open"]);
    assert!(
        said.contains("t.jsonl: line 3: p1 receives message 0-1, which was not sent"),
        "{said}"
    );
    assert!(!unsent.path().join("t.html").exists());
    let output = labs(unsent.path(), &["export", "t.jsonl", "--mermaid"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("line 3: p1 receives message 0-1, which was not sent"), "{said}");

    let garbage = folder(&["no trace"]);
    assert!(
        fails(garbage.path(), &["view", "t.jsonl", "--no-open"]).contains("this is not a trace")
    );
    assert!(fails(garbage.path(), &["view", "gone.jsonl", "--no-open"]).contains("gone.jsonl"));
    let large = folder(&[&HEADER.replace("\"processes\":2", "\"processes\":70000")]);
    assert!(fails(large.path(), &["view", "t.jsonl", "--no-open"]).contains("at most 65536"));
}

/// As if the machine of p0 had been cut off.
#[test]
fn a_trace_without_one_of_its_processes_is_drawn_and_exported() {
    let folder = folder(&[HEADER, RECEIVE]);
    let at = folder.path();
    succeeds(at, &["view", "t.jsonl", "--no-open"]);
    let page = fs::read_to_string(at.join("t.html")).unwrap();
    assert!(page.contains(r#""missing":[{"process":0,"from":1}]"#));
    assert!(page.contains("not judged to the end: the trace lacks the events of p0"));
    for (format, expected) in [
        ("--mermaid", "p0->>p1: Ask (its sending is missing)"),
        ("--shiviz", r#"p1 {"p1":1} 0.002ms p0 → p1 Ask"#),
        ("--pcap", "Ask"),
    ] {
        let output = labs(at, &["export", "t.jsonl", format]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let missing =
            "labs: t.jsonl: the trace lacks the events of p0, and so does what was written\n";
        assert_eq!(said, missing);
        let written = String::from_utf8_lossy(&output.stdout);
        assert_eq!(written.contains(expected), format != "--pcap", "{written}");
    }
}

/// As it is when a run was killed while it wrote.
#[test]
fn a_trace_that_ends_within_a_line_is_drawn_up_to_there() {
    let folder = folder(&[HEADER, INIT]);
    let mut file = OpenOptions::new().append(true).open(folder.path().join("t.jsonl")).unwrap();
    file.write_all(&SEND.as_bytes()[..30]).unwrap();
    succeeds(folder.path(), &["view", "t.jsonl", "--no-open"]);
    let page = fs::read_to_string(folder.path().join("t.html")).unwrap();
    assert!(page.contains("\"chunks\":[{\"events\":1,"));
}

#[test]
fn exports_go_to_standard_output_or_a_file() {
    let folder = folder(&[HEADER, INIT, SEND, RECEIVE]);
    let at = folder.path();
    let log = succeeds(at, &["export", "t.jsonl", "--shiviz"]);
    assert!(log.ends_with("p1 {\"p0\":2,\"p1\":1} 0.002ms p0 → p1 Ask\n"), "{log}");
    let diagram = succeeds(at, &["export", "t.jsonl", "--mermaid"]);
    assert!(diagram.starts_with("sequenceDiagram\n") && diagram.ends_with("p0->>p1: Ask\n"));
    assert_eq!(succeeds(at, &["export", "t.jsonl", "--pcap", "--output", "t.pcap"]), "");
    assert_eq!(fs::read(at.join("t.pcap")).unwrap()[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    let none = labs(at, &["export", "t.jsonl"]);
    assert_eq!(none.status.code(), Some(2), "one format must be named");
}

/// However the file is called: by its name, by another path to it, or by a link.
#[test]
fn the_trace_that_is_read_is_not_written_over() {
    let folder = folder(&[HEADER, INIT, SEND, RECEIVE]);
    let at = folder.path();
    let trace = at.join("t.jsonl");
    let before = fs::read(&trace).unwrap();
    std::os::unix::fs::symlink("t.jsonl", at.join("link")).unwrap();
    let whole = trace.to_str().unwrap();
    for verb in [&["view", "--no-open"][..], &["export", "--pcap"]] {
        for output in ["t.jsonl", "./t.jsonl", whole, "link"] {
            let said = fails(at, &[verb, &["t.jsonl", "--output", output]].concat());
            let reason = format!("cannot write {output}: ");
            assert!(said.contains(&reason), "{said}");
            assert!(said.contains("t.jsonl is needed for something else: name another"), "{said}");
            assert_eq!(fs::read(&trace).unwrap(), before, "{verb:?} --output {output}");
        }
    }
}

// -----------------------------------------------------------------------------------------------
// The server

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut labs = Command::new(env!("CARGO_BIN_EXE_labs"));
        Self::start_by(labs.stderr(Stdio::null()), folder)
    }

    /// A server that may open so many files, which are few, and what it says.
    fn with_files(limit: u32, folder: &Path) -> (Self, ChildStderr) {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_labs")]).stderr(Stdio::piped());
        let mut server = Self::start_by(&mut shell, folder);
        let said = server.child.stderr.take().unwrap();
        (server, said)
    }

    fn start_by(labs: &mut Command, folder: &Path) -> Self {
        let mut child = labs
            .args(["view", "t.jsonl", "--serve", "--no-open"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("http://127.0.0.1:").unwrap().trim_end_matches('/');
        let port = port.parse().unwrap();
        Self { child, port }
    }

    /// How much time of the processor it has taken, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(path).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let of = |field: usize| fields.split(' ').nth(field).unwrap().parse::<u64>().unwrap();
        of(12) + of(13)
    }

    /// Presses Ctrl-C. Returns the exit status.
    fn interrupt(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).unwrap();
        self.child.wait().unwrap().code()
    }

    fn ask(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn get(&self, path: &str) -> TcpStream {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port))
    }

    fn answer(&self, request: &str) -> String {
        let mut answer = String::new();
        let mut stream = self.ask(request);
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_c_is_how_a_server_ends() {
    let folder = folder(&[HEADER, INIT]);
    let server = Server::start(folder.path());
    // It has been reached, so it is past all that could fail.
    let port = server.port;
    assert!(server.answer(&format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).len() > 9);
    assert_eq!(server.interrupt(), Some(0));
}

/// The next message of a stream of events: its name and its data.
fn next(stream: &mut impl BufRead) -> (String, serde_json::Value) {
    let mut name = String::new();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
        if let Some(event) = line.trim_end().strip_prefix("event: ") {
            name = event.to_owned();
        } else if let Some(data) = line.trim_end().strip_prefix("data: ") {
            return (name, serde_json::from_str(data).unwrap());
        }
    }
}

/// Reads on until so many more events have come, and then until the status is as wanted, unless it is already.
fn read_on(
    stream: &mut impl BufRead,
    status: &mut serde_json::Value,
    events: u64,
    wanted: impl Fn(&serde_json::Value) -> bool,
) {
    let mut count = 0;
    while count < events || !wanted(status) {
        match next(stream) {
            (name, data) if name == "chunk" => count += data["events"].as_u64().unwrap(),
            (name, data) if name == "status" => *status = data,
            (name, _) => assert_eq!(name, "begin"),
        }
    }
    assert_eq!(count, events);
}

#[test]
fn a_growing_trace_is_told_as_it_grows() {
    let folder = folder(&[HEADER, INIT]);
    let server = Server::start(folder.path());
    let stream = server.get("/events");
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut events = BufReader::new(stream);
    let mut status = serde_json::Value::Null;
    read_on(&mut events, &mut status, 1, |status| status["running"] == true);

    let mut file = OpenOptions::new().append(true).open(folder.path().join("t.jsonl")).unwrap();
    write!(file, "{SEND}\n{}", &RECEIVE[..40]).unwrap();
    read_on(&mut events, &mut status, 1, |status| status["verdicts"][0]["holds"].is_null());
    let stops = [(0, 3), (1, 2)].map(|(process, n)| {
        let stop = r#""stop","value":{"kind":"complete","text":""}"#;
        let event = if process == 0 { r#""crash""# } else { stop };
        format!(r#"{{"process":{process},"n":{n},"lamport":9,"at_us":3,"event":{event}}}"#)
    });
    write!(file, "{}\n{}\n{}\n", &RECEIVE[40..], stops[0], stops[1]).unwrap();
    read_on(&mut events, &mut status, 3, |status| status["running"] == false);
    assert_eq!(status["verdicts"][0]["holds"], true, "{status}");
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.trim(), "", "nothing follows the end of the run");
}

/// As if the machine of p0 had been cut off: the others have ended, and nothing follows.
#[test]
fn a_trace_without_one_of_its_processes_comes_to_its_end() {
    let stop = r#"{"process":1,"n":2,"lamport":4,"at_us":3,"event":"stop","value":{"kind":"complete","text":""}}"#;
    let folder = folder(&[HEADER, RECEIVE, stop]);
    let server = Server::start(folder.path());
    let stream = server.get("/events");
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut events = BufReader::new(stream);
    let mut status = serde_json::Value::Null;
    read_on(&mut events, &mut status, 2, |status| status["running"] == false);
    assert_eq!(status["missing"], serde_json::json!([{ "process": 0, "from": 1 }]));
    assert!(status["verdicts"][0]["holds"].is_null(), "{status}");
}

#[test]
fn only_requests_that_mean_this_machine_are_answered() {
    let folder = folder(&[HEADER, INIT]);
    let server = Server::start(folder.path());
    let port = server.port;
    let page = server.answer(&format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("</html>\n"));
    assert!(page.contains("\"live\":true") && page.contains("connect-src 'self'"));

    let other =
        server.answer(&format!("GET /events HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"));
    assert!(other.starts_with("HTTP/1.1 421 "), "{other}");
    assert!(!other.contains("chunk"));
    let post = server.answer(&format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    let gone = server.answer(&format!("GET /t.jsonl HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
    assert!(gone.starts_with("HTTP/1.1 404 "), "{gone}");
    let noise = server.answer("\u{1}\u{2}\r\n\r\n");
    assert!(noise.starts_with("HTTP/1.1 400 "), "{noise}");
}

#[test]
fn at_the_limit_of_open_files_the_server_waits() {
    let folder = folder(&[HEADER, INIT]);
    let (mut server, mut said) = Server::with_files(16, folder.path());
    // Some are accepted, and the others stay in the queue of the listener.
    let connections: Vec<_> = (0..40).map(|_| server.get("/events")).collect();
    let mut line = String::new();
    let mut lines = BufReader::new(&mut said);
    while !line.contains("takes no more connections for now") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended");
    }
    assert!(line.contains("or raise `ulimit -n`"), "{line}");
    let before = server.ticks();
    std::thread::park_timeout(Duration::from_secs(1));
    let taken = server.ticks() - before;
    assert!(taken < 15, "{taken} hundredths of a second of the processor in one second");

    // When the others have gone, it answers again, and has said so once.
    drop(connections);
    let page = server.answer(&format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", server.port));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    server.child.kill().unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("takes no more"), "{rest}");
}
