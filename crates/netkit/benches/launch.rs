//! Starting 16 daemons over SSH on one machine, against `pdsh` with fan-out 16 doing the same.
//!
//! Both start this program as a daemon on an SSH server of this machine, which is started for the
//! purpose with keys of its own, and are done when all 16 have connected back. `pdsh` runs one
//! `ssh` a daemon, each with its key exchange; netkit runs all in one session. To reach: at most
//! 0.5 of the time. The logins get an empty home, since a slow `.bashrc` would be all that is
//! measured. Needs `sshd`, `ssh-keygen` and `pdsh`; says so and measures nothing where one is
//! missing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use netkit::daemon;
use netkit::hosts::Hosts;
use netkit::launch::{Job, LaunchEvent, LaunchOptions, Program, launch_all};

const DAEMONS: usize = 16;

/// How often each side is measured, in turn with the other.
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, address] = arguments.as_slice()
        && role == "daemon"
    {
        return participate(address);
    }
    let missing = ["/usr/sbin/sshd", "/usr/bin/ssh-keygen", "/usr/bin/pdsh"]
        .into_iter()
        .find(|program| !Path::new(program).exists());
    if let Some(program) = missing {
        println!("launch: SKIPPED, there is no {program} here");
        return;
    }
    let server = Server::start();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(measure(|address| server.pdsh(address)));
        ours.push(measure(|address| server.netkit(address)));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "launch of {DAEMONS} daemons over SSH: netkit {:.0} ms, pdsh {:.0} ms, ratio {:.2} (at most 0.5)",
        ours * 1e3,
        theirs * 1e3,
        ours / theirs
    );
}

/// What each daemon does: it lives for as long as its connection.
fn participate(address: &str) {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let ready = daemon::detach().unwrap();
    let mut launcher = TcpStream::connect(address).unwrap();
    ready.ok();
    let _ = launcher.read_to_end(&mut Vec::new());
}

/// The seconds until all daemons have connected.
fn measure(start: impl FnOnce(&str)) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let begun = Instant::now();
    thread::scope(|scope| {
        let all = scope.spawn(|| -> Vec<TcpStream> {
            (0..DAEMONS).map(|_| listener.accept().unwrap().0).collect()
        });
        start(&address);
        let _daemons = all.join().unwrap();
        begun.elapsed().as_secs_f64()
    })
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// An SSH server of this user on a free port, with keys of its own.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    sshd: Child,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "id"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(key));
            assert!(command.status().unwrap().success());
        }
        // Free now; nobody else is likely to take it within the next moment.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let public = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             PermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 100\nSetEnv HOME={}\n",
            path("host").display(),
            path("id.pub").display(),
            folder.path().display(),
        );
        fs::write(path("sshd_config"), config).unwrap();
        let client = format!(
            "Host n*\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n \
             UserKnownHostsFile {}\n BatchMode yes\n",
            path("id").display(),
            path("known_hosts").display(),
        );
        fs::write(path("ssh_config"), client).unwrap();
        // It refuses to start without this folder, which only root needs and can make.
        let _ = fs::create_dir("/run/sshd");
        let mut command = Command::new("/usr/sbin/sshd");
        command.arg("-D").arg("-f").arg(path("sshd_config")).arg("-E").arg(path("sshd.log"));
        let sshd = command.stdin(Stdio::null()).spawn().unwrap();
        let server = Server { folder, port, sshd };
        server.await_banner();
        server
    }

    /// Waits until the server greets.
    fn await_banner(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let greeting = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
                stream.write_all(b"SSH-2.0-bench\r\n")?;
                stream.read_exact(&mut [0; 4])
            });
            if greeting.is_ok() {
                return;
            }
            let log = fs::read_to_string(self.path("sshd.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "sshd does not greet: {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn netkit(&self, address: &str) {
        let hosts = Hosts::parse(&format!("127.0.0.1:{} slots={DAEMONS}", self.port)).unwrap();
        let options = LaunchOptions {
            ssh_folder: Some(self.folder.path().to_owned()),
            identity: Some(self.path("id")),
            agent: Some(self.path("none")),
            ..LaunchOptions::default()
        };
        let job_for = |_, _| Job {
            program: Program::Here(env::current_exe().unwrap()),
            arguments: vec!["daemon".to_owned(), address.to_owned()],
            environment: Vec::new(),
            stdin: b"secret\n".to_vec(),
        };
        launch_all(&hosts, &hosts.place(DAEMONS as u32), &options, &job_for, &|event| {
            if let LaunchEvent::Failed { error, .. } = event {
                panic!("{error}");
            }
        });
    }

    fn pdsh(&self, address: &str) {
        let program = env::current_exe().unwrap();
        let command = format!("echo secret | {} daemon {address}", program.display());
        let output = Command::new("pdsh")
            .args(["-R", "ssh", "-f", &DAEMONS.to_string(), "-w", &format!("n[1-{DAEMONS}]")])
            .arg(command)
            .env("PDSH_SSH_ARGS_APPEND", format!("-F {}", self.path("ssh_config").display()))
            .output()
            .unwrap();
        let answers = String::from_utf8_lossy(&output.stdout).matches("@@netkit ok").count();
        assert_eq!(answers, DAEMONS, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}
