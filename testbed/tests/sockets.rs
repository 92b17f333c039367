//! Labs 01 and 02 with other people's programs at the other end: `nc`, Debian's `finger`, Debian's
//! `in.fingerd` under an inet daemon; and with ports that are for root.
//!
//! Each test has a network of its own, in which every port is free and port 79 is nobody else's. It needs no
//! room: all runs on one machine.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use testbed::{program, tests, tests_main, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// The user "nobody", who may do nothing.
const NOBODY: u32 = 65_534;

fn main() {
    tests_main(tests![
        nc_is_a_client_of_both_servers,
        nc_is_a_server_of_both_clients,
        ports_below_1024_are_not_for_everybody,
        debians_finger_is_answered_by_a_server_that_left_root,
        our_client_understands_debians_server,
        both_servers_answer_byte_for_byte_alike,
        a_machine_without_finger_answers_as_if_it_had_one,
    ]);
}

// -----------------------------------------------------------------------------------------------
// Lab 01

fn nc_is_a_client_of_both_servers() {
    in_own_network(|| {
        let (mut tcp, mut udp) = (Process::udp_tcp("tcp-server"), Process::udp_tcp("udp-server"));
        for host in ["127.0.0.1", "::1"] {
            let said = fed("nc", &["-N", host, "9875"], "one\ntwo");
            assert_eq!(text(&said.stdout), "OK\nOK\n");
            let from = if host == "::1" { "[::1]:" } else { "127.0.0.1:" };
            for word in ["one", "two"] {
                let line = tcp.says("message of 3 bytes");
                assert!(line.starts_with(from) && line.ends_with(word), "{line}");
            }
            tcp.says("closed its side after 2 messages; ours is closed too");
            fed("nc", &["-u", "-q", "0", host, "9875"], "hello");
            let line = udp.says("5 bytes: hello");
            assert!(line.starts_with(from), "{line}");
        }
        assert_eq!(tcp.stop(Signal::SIGINT).lines().count(), 1);
        assert!(udp.stop(Signal::SIGTERM).starts_with("stopped by SIGTERM: 2 datagrams, "));
    });
}

fn nc_is_a_server_of_both_clients() {
    in_own_network(|| {
        for host in ["127.0.0.1", "::1"] {
            let mut nc =
                Process::start(Command::new("nc").args(["-l", "-N", host, "9877"]), "OK\n");
            listens("-ltn", 9877);
            let client = udp_tcp(&["tcp-client", host, "9877", "--message", "hello"]);
            assert!(client.status.success(), "{client:?}");
            assert!(text(&client.stdout).contains("\nacknowledged: OK, in 1 read\n"));
            assert_eq!(nc.says("hello"), "hello");
            let mut nc =
                Process::start(Command::new("nc").args(["-lu", "-W", "1", host, "9878"]), "");
            listens("-lun", 9878);
            assert!(udp_tcp(&["udp-client", host, "9878", "hello\n"]).status.success());
            assert_eq!(nc.says("hello"), "hello");
        }
    });
}

fn ports_below_1024_are_not_for_everybody() {
    in_own_network(|| {
        for role in ["tcp-server", "udp-server"] {
            let folder = open_folder();
            let program = copy(&program::path("udp-tcp"), &folder);
            let mut command = Command::new(&program);
            command.args([role, "--port", "23"]).uid(NOBODY).gid(NOBODY);
            let refused = command.output().expect("anybody may run it");
            assert_eq!(refused.status.code(), Some(2));
            let line = text(&refused.stderr);
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(
                line.contains(":23: permission denied; ports below 1024 are for root"),
                "{line}"
            );
            // The same user may have another port, and root this one.
            for (user, port) in [(NOBODY, "9875"), (0, "23")] {
                let mut command = Command::new(&program);
                command.args([role, "--port", port]).uid(user).gid(user);
                let mut server = Process::start(&mut command, "");
                assert!(server.says("listening on").ends_with(&format!(":{port}")));
                server.stop(Signal::SIGINT);
            }
        }
    });
}

// -----------------------------------------------------------------------------------------------
// Lab 02

fn debians_finger_is_answered_by_a_server_that_left_root() {
    in_own_network(|| {
        let folder = open_folder();
        let mut server = Process::fingerd(&folder, &["--port", "79", "--user", "nobody"]);
        assert_eq!(rights_of(server.pid()), [format!("{NOBODY}"), "0000000000000000".to_owned()]);
        let as_nobody = |arguments: &[&str]| {
            let mut finger = Command::new("/usr/bin/finger");
            finger.args(arguments).uid(NOBODY).gid(NOBODY).env("LC_ALL", "C");
            text(&finger.output().expect("finger is installed").stdout)
        };
        // What came with CRLF is shown so.
        let asked = |arguments: &[&str]| as_nobody(arguments).replace('\r', "");
        assert_eq!(asked(&["root@localhost"]), as_nobody(&["root"]));
        assert_eq!(asked(&["-l", "root@localhost"]), as_nobody(&["-l", "root"]));
        assert_eq!(asked(&["@localhost"]), as_nobody(&[]));
        assert_eq!(asked(&["-l", "@localhost"]), as_nobody(&["-l"]));
        assert_eq!(asked(&["a@b@localhost"]), "Finger forwarding service denied\n");
        assert!(asked(&["; id@localhost"]).starts_with("fingerd: not a login: "));
        // It can take its file away though it is not root, for the file was given to it.
        let pid_file = folder.path().join("pid");
        assert!(pid_file.exists());
        server.stop(Signal::SIGTERM);
        assert!(!pid_file.exists());
        // A file that a killed one has left is nobody's, and root takes it over.
        let mut killed = Process::fingerd(&folder, &["--port", "79"]);
        assert_eq!(rights_of(killed.pid())[0], format!("{NOBODY}"), "not told otherwise");
        killed.end(Signal::SIGKILL);
        assert!(pid_file.exists());
        Process::fingerd(&folder, &["--port", "79"]).stop(Signal::SIGTERM);
        assert!(!pid_file.exists());
    });
}

fn our_client_understands_debians_server() {
    in_own_network(|| {
        let _inetd = Process::inetd(79);
        let query = |arguments: &[&str]| {
            let mut command = Command::new(program::path("fingerd"));
            command.args(["query", "--host", "localhost", "--port", "79"]).args(arguments);
            let output = command.output().expect("it was built");
            assert!(output.status.success(), "{output:?}");
            text(&output.stdout)
        };
        let finger = |arguments: &[&str]| {
            let output = Command::new("finger").args(arguments).output();
            text(&output.expect("finger is installed").stdout)
        };
        assert_eq!(query(&["--login", "root"]), finger(&["root"]));
        assert_eq!(query(&["--login", "root", "--verbose"]), finger(&["-l", "root"]));
        assert_eq!(query(&[]), finger(&[]));
        assert_eq!(query(&["--login", "no-such-user"]), "finger: no-such-user: no such user.\n");
    });
}

fn both_servers_answer_byte_for_byte_alike() {
    in_own_network(|| {
        let folder = open_folder();
        let _inetd = Process::inetd(79);
        let _ours = Process::fingerd(&folder, &["--port", "7979", "--user", "root"]);
        for query in ["\r\n", "root\r\n", "/W root\r\n", "/W\r\n", "root\n", "no-such-user\r\n"] {
            let [debian, ours] = [79, 7979].map(|port| ask(port, query));
            assert_eq!(text(&ours), text(&debian), "{query:?}");
        }
    });
}

fn a_machine_without_finger_answers_as_if_it_had_one() {
    in_own_network(|| {
        // A machine with login records of its own, as far as this thread and its children can see.
        unshare(CloneFlags::CLONE_NEWNS).expect("root may");
        run("mount", &["--make-rprivate", "/"]);
        for folder in ["/run", "/var/log"] {
            run("mount", &["-t", "tmpfs", "tmpfs", folder]);
        }
        fs::write("/run/utmp", login_record("root", "pts/77", "lab01")).expect("root may");
        fs::write("/var/log/lastlog", last_logins()).expect("root may");
        let queries = ["\r\n", "daemon\r\n", "sync\r\n", "no-such-user\r\n"];
        let folder = open_folder();
        let serve = || {
            let mut server = Process::fingerd(&folder, &["--port", "7979", "--user", "root"]);
            let answers = queries.map(|query| text(&ask(7979, query)));
            server.stop(Signal::SIGTERM);
            let log = fs::read_to_string(folder.path().join("log")).expect("it logs");
            (answers, log)
        };
        let (with, log) = serve();
        assert!(log.contains("; answers are those of /usr/bin/finger\n"), "{log}");
        // Debian's complains of terminals that are not there, which is no part of its answer.
        let with = with.map(|answer| {
            let lines =
                answer.split_inclusive('\n').filter(|line| !line.starts_with("finger: /dev"));
            lines.collect::<String>()
        });
        assert!(with[0].contains("(lab01)\r\n"), "{with:?}");
        assert!(
            with[1].contains("\r\nLast login ") && with[2].contains("\r\nNever logged in.\r\n")
        );
        run("mount", &["--bind", "/dev/null", "/usr/bin/finger"]);
        fs::remove_file(folder.path().join("log")).expect("there is one");
        let (without, log) = serve();
        let first = log.lines().next().expect("there is a first line");
        assert!(first.contains("; answers are built in, from the user database"), "{log}");
        assert_eq!(without, with);
    });
}

/// A record of utmp(5) about somebody who is logged in since an hour, as on x86-64.
fn login_record(login: &str, line: &str, host: &str) -> Vec<u8> {
    let mut record = vec![0; 384];
    let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &7_i16.to_ne_bytes());
    put(8, line.as_bytes());
    put(44, login.as_bytes());
    put(76, host.as_bytes());
    put(340, &an_hour_ago().to_ne_bytes());
    record
}

/// The file lastlog(8) keeps, by number of user: "daemon" (1) was here, nobody else.
fn last_logins() -> Vec<u8> {
    let mut file = vec![0; 292 * 2];
    let mut put = |at: usize, bytes: &[u8]| {
        file[292 + at..292 + at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, &an_hour_ago().to_ne_bytes());
    put(4, b"pts/3");
    put(36, b"lab02");
    file
}

fn an_hour_ago() -> u32 {
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is later than 1970").as_secs();
    u32::try_from(now - 3600).expect("it is earlier than 2106")
}

/// The effective user and the effective rights of a process.
fn rights_of(pid: i32) -> [String; 2] {
    let about = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let field = |name: &str, at: usize| {
        let line = about.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.split_whitespace().nth(at).expect(name).to_owned()
    };
    [field("Uid:", 1), field("CapEff:", 0)]
}

// -----------------------------------------------------------------------------------------------
// Programs

/// A program that runs. Dropping it kills it.
struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(command: &mut Command, input: &str) -> Process {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("it is a pipe");
        stdin.write_all(input.as_bytes()).expect("it takes a line");
        let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Process { child, stdout }
    }

    fn udp_tcp(role: &str) -> Process {
        let mut server = Process::start(Command::new(program::path("udp-tcp")).arg(role), "");
        server.says("listening on");
        server
    }

    fn fingerd(folder: &TempDir, arguments: &[&str]) -> Process {
        let mut command = Command::new(program::path("fingerd"));
        command.arg("serve").args(arguments);
        command.arg("--pid-file").arg(folder.path().join("pid"));
        command.arg("--log-file").arg(folder.path().join("log"));
        let mut server = Process::start(&mut command, "");
        server.says("listening on");
        server
    }

    /// An inet daemon with Debian's finger server.
    fn inetd(port: u16) -> Process {
        let folder = open_folder();
        let config = folder.path().join("inetd.conf");
        let service =
            format!("127.0.0.1:{port} stream tcp nowait root /usr/sbin/in.fingerd in.fingerd\n");
        fs::write(&config, service).expect("the folder is ours");
        let inetd = Process::start(Command::new("/usr/sbin/inetd").arg("-i").arg(config), "");
        listens("-ltn", port);
        inetd
    }

    fn pid(&self) -> i32 {
        self.child.id().try_into().expect("process numbers are small")
    }

    /// The next line that has this in it.
    fn says(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let n = self.stdout.read_line(&mut line).expect("it says nothing but text");
            assert!(n > 0, "it ended, and did not say {text:?}");
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Ends it, and returns the rest of what it says.
    fn end(&mut self, signal: Signal) -> String {
        kill(Pid::from_raw(self.pid()), signal).expect("it is a child of this process");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("it says nothing but text");
        self.child.wait().expect("it is a child of this process");
        rest
    }

    /// The same, and it must end well.
    fn stop(&mut self, signal: Signal) -> String {
        let rest = self.end(signal);
        let status = self.child.wait().expect("it is a child of this process");
        assert!(status.success(), "{status}: {rest}");
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has most often ended, and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn udp_tcp(arguments: &[&str]) -> Output {
    Command::new(program::path("udp-tcp")).args(arguments).output().expect("it was built")
}

/// Runs a program to its end that is given this.
fn fed(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(input.as_bytes()).expect("it takes a line");
    drop(stdin);
    let output = child.wait_with_output().expect("it is a child of this process");
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    output
}

/// Runs a program that must succeed.
fn run(program: &str, arguments: &[&str]) {
    fed(program, arguments, "");
}

/// The answer of a finger server on this port.
fn ask(port: u16, query: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
    stream.write_all(query.as_bytes()).expect("it takes a query");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers and closes");
    answer
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it says nothing but text")
}

/// Waits until somebody listens on this port, without connecting: `nc -l` takes one client only.
fn listens(sockets: &str, port: u16) {
    wait_until("somebody listens", PATIENCE, || {
        let filter = format!("sport = :{port}");
        let output = Command::new("ss").args(["-H", sockets, &filter]).output();
        (!output.expect("ss is installed").stdout.is_empty()).then_some(())
    });
}

/// A folder of mode 1777, as /tmp.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let mode = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(folder.path(), mode).expect("the folder is ours");
    folder
}

/// A copy of a program where everybody can run it.
fn copy(program: &Path, folder: &TempDir) -> PathBuf {
    let path = folder.path().join("program");
    fs::copy(program, &path).expect("there is room");
    path
}

/// Does something in a network with nothing but a loopback of its own.
fn in_own_network(work: fn()) {
    // Built before: cargo may want the real network.
    for name in ["udp-tcp", "fingerd"] {
        program::path(name);
    }
    let test = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
        run("ip", &["link", "set", "lo", "up"]);
        work();
    });
    if let Err(panic) = test.join() {
        std::panic::resume_unwind(panic);
    }
}
