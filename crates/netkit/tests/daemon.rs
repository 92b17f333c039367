//! Becoming a daemon, seen from outside.
//!
//! A process can only become a daemon before it has threads, so this test has no harness: it starts
//! itself again, with the name of what to do, and looks at what becomes of that process in `/proc`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use netkit::daemon;

/// The tests, each of which panics if it fails.
const TESTS: [(&str, fn()); 8] = [
    ("a daemon belongs to no terminal and no login", a_daemon_belongs_to_no_terminal_and_no_login),
    ("a daemon holds no file but what is named", a_daemon_holds_no_file_but_what_is_named),
    ("what a daemon creates is for its user alone", what_a_daemon_creates_is_for_its_user_alone),
    ("the command ends while the daemon lives", the_command_ends_while_the_daemon_lives),
    ("a daemon that fails says why", a_daemon_that_fails_says_why),
    ("a daemon that dies is noticed", a_daemon_that_dies_is_noticed),
    ("a daemon that gives up is noticed", a_daemon_that_gives_up_is_noticed),
    ("a process with threads is refused", a_process_with_threads_is_refused),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [how, rest @ ..] = arguments.as_slice()
        && let Some(how) = how.strip_prefix("as-daemon=")
    {
        act(how, rest);
        return ExitCode::SUCCESS;
    }
    // Options of the usual harness are accepted; only a name to look for means anything.
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    for (name, test) in TESTS {
        if wanted.is_none_or(|wanted| name.contains(wanted.as_str())) {
            println!("test {name} ...");
            test();
        }
    }
    println!("ok");
    ExitCode::SUCCESS
}

/// What the process does that becomes a daemon.
fn act(how: &str, rest: &[String]) {
    match how {
        "live" => {
            let ready = daemon::detach().unwrap();
            let launcher = TcpStream::connect(&rest[0]).unwrap();
            ready.ok();
            live(launcher);
        }
        "keep" => {
            let kept = fs::File::create(&rest[1]).unwrap();
            // Inherited by accident, and owned by nobody that would use it again.
            let lost = fs::File::open("/etc/passwd").unwrap();
            let ready = daemon::detach_keeping(&[kept.as_fd()]).unwrap();
            std::mem::forget(lost);
            (&kept).write_all(b"kept").unwrap();
            let launcher = TcpStream::connect(&rest[0]).unwrap();
            ready.ok();
            live(launcher);
        }
        "create" => {
            let ready = daemon::detach().unwrap();
            fs::write(&rest[0], "x").unwrap();
            ready.ok();
        }
        "fail" => daemon::detach().unwrap().fail("two\nlines\x1b[31m"),
        "die" => {
            let _ready = daemon::detach().unwrap();
            // Not by a panic or `abort`, which would print or leave a core file.
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
        "give-up" => drop(daemon::detach().unwrap()),
        "threads" => {
            let _other = thread::spawn(thread::park);
            println!("{}", daemon::detach().unwrap_err());
        }
        _ => panic!("how is {how}?"),
    }
}

/// Tells the process number, and lives until the launcher lets go.
fn live(mut launcher: TcpStream) {
    writeln!(launcher, "{}", std::process::id()).unwrap();
    launcher.read_to_end(&mut Vec::new()).unwrap();
}

/// Starts this program as a daemon and waits for the original process.
fn start(how: &str, rest: &[&str]) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(format!("as-daemon={how}")).args(rest).output().unwrap()
}

/// A daemon that lives until its connection is dropped.
struct Daemon {
    pid: u32,
    output: Output,
    connection: TcpStream,
}

fn start_living(how: &str, rest: &[&str]) -> Daemon {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let arguments: Vec<&str> = [address.as_str()].into_iter().chain(rest.iter().copied()).collect();
    let output = start(how, &arguments);
    let (connection, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&connection).read_line(&mut line).unwrap();
    Daemon { pid: line.trim().parse().unwrap(), output, connection }
}

impl Daemon {
    /// A field of `/proc/PID/stat` behind the name: 0 is the state, 1 the parent, and so on.
    fn stat(&self, field: usize) -> i64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().nth(field).unwrap().parse().unwrap()
    }

    /// Where each of its open files leads to.
    fn files(&self) -> Vec<(u32, String)> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap();
        let mut files: Vec<(u32, String)> = folder
            .map(|entry| {
                let path = entry.unwrap().path();
                let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
                (number, fs::read_link(&path).unwrap().to_string_lossy().into_owned())
            })
            .collect();
        files.sort();
        files
    }

    /// Lets go of it, and waits until it has ended.
    fn end(self) {
        drop(self.connection);
        let deadline = Instant::now() + Duration::from_secs(10);
        let path = format!("/proc/{}/cmdline", self.pid);
        // A daemon's end is no event for anybody but the system's first process.
        while fs::read(&path).is_ok_and(|line| !line.is_empty()) {
            assert!(Instant::now() < deadline, "the daemon lives on");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn a_daemon_belongs_to_no_terminal_and_no_login() {
    let daemon = start_living("live", &[]);
    let own_session = nix::unistd::getsid(None).unwrap().as_raw();
    let (group, session, terminal) = (daemon.stat(2), daemon.stat(3), daemon.stat(4));
    assert_ne!(session, i64::from(own_session), "it has left the session");
    assert_ne!(session, i64::from(daemon.pid), "it leads no session, so it cannot get a terminal");
    assert_eq!(group, session);
    assert_eq!(terminal, 0);
    assert_ne!(daemon.stat(1), i64::from(std::process::id()), "it is nobody's child");
    let folder = fs::read_link(format!("/proc/{}/cwd", daemon.pid)).unwrap();
    assert_eq!(folder.to_str(), Some("/"));
    daemon.end();
}

fn a_daemon_holds_no_file_but_what_is_named() {
    let null = |number| (number, "/dev/null".to_owned());
    let daemon = start_living("live", &[]);
    let files = daemon.files();
    assert_eq!(files[..3], [null(0), null(1), null(2)]);
    assert!(files.len() == 4 && files[3].1.starts_with("socket:"), "{files:?}");
    daemon.end();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept");
    let path = path.to_str().unwrap();
    let daemon = start_living("keep", &[path]);
    let files = daemon.files();
    assert!(files.iter().any(|(_, file)| file == path), "{files:?}");
    assert!(files.iter().all(|(_, file)| file != "/etc/passwd"), "{files:?}");
    assert_eq!(files.len(), 5, "{files:?}");
    assert_eq!(fs::read(path).unwrap(), b"kept");
    daemon.end();
}

fn what_a_daemon_creates_is_for_its_user_alone() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let output = start("create", &[path.to_str().unwrap()]);
    assert!(output.status.success());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

fn the_command_ends_while_the_daemon_lives() {
    // `output` has read both outputs to their end: the daemon holds neither.
    let daemon = start_living("live", &[]);
    assert!(daemon.output.status.success());
    assert_eq!(stdout(&daemon.output), format!("@@netkit ok {}\n", daemon.pid));
    assert_eq!(daemon.output.stderr, b"");
    daemon.end();
}

fn a_daemon_that_fails_says_why() {
    let output = start("fail", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "@@netkit error two lines\\u{1b}[31m\n");
}

fn a_daemon_that_dies_is_noticed() {
    let output = start("die", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "@@netkit error the daemon died before it was ready\n");
}

fn a_daemon_that_gives_up_is_noticed() {
    let output = start("give-up", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "@@netkit error the daemon gave up without saying why\n");
}

fn a_process_with_threads_is_refused() {
    let mut command = Command::new(env::current_exe().unwrap());
    let child: Child = command.arg("as-daemon=threads").stdout(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        stdout(&output),
        "a process of 2 threads cannot become a daemon; detach before starting any\n"
    );
}
