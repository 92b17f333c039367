//! Starts copies of itself as daemons, here or on the machines of a host file, and ends them.
//!
//! ```text
//! cargo run -p netkit --example launch -- 3
//! cargo run -p netkit --example launch -- 8 hosts.txt
//! ```
//!
//! Each daemon gets a secret on its standard input, becomes a daemon, and only then connects back
//! to the launcher and says hello. It lives for as long as that connection: when the launcher ends,
//! for whatever reason, so do they.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::{env, fs};

use netkit::daemon;
use netkit::hosts::Hosts;
use netkit::launch::{Job, LaunchEvent, LaunchOptions, Program, launch_all};
use netkit::run_id::RunId;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["daemon", rank, launcher, "--run", _] => participate(rank, launcher.parse()?),
        [] => launch(3, &Hosts::localhost()),
        [processes] => launch(processes.parse()?, &Hosts::localhost()),
        [processes, hosts] => launch(processes.parse()?, &Hosts::read(Path::new(hosts))?),
        _ => Err("usage: launch [PROCESSES [HOSTS-FILE]]".into()),
    }
}

/// What the launcher does.
fn launch(processes: u32, hosts: &Hosts) -> Result<()> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    let port = listener.local_addr()?.port();
    let program = env::current_exe()?;
    let run = RunId::new();
    let job_for = |rank: u32, launcher: IpAddr| Job {
        program: Program::Here(program.clone()),
        arguments: vec![
            "daemon".to_owned(),
            rank.to_string(),
            SocketAddr::new(launcher, port).to_string(),
            "--run".to_owned(),
            run.to_string(),
        ],
        environment: Vec::new(),
        stdin: b"the secret of this run\n".to_vec(),
    };
    let started = Mutex::new(0);
    let options = LaunchOptions { program: program.clone(), ..LaunchOptions::default() };
    launch_all(hosts, &hosts.place(processes), &options, &job_for, &|event| match event {
        LaunchEvent::Started { rank, host, pid } => {
            println!("p{rank} started on {} as {pid}", hosts[host]);
            *started.lock().unwrap() += 1;
        }
        LaunchEvent::Failed { ranks, error, .. } => println!("{ranks:?} failed: {error}"),
        LaunchEvent::Progress { .. } => {}
    });
    let mut daemons = Vec::new();
    for _ in 0..started.into_inner()? {
        let (daemon, _) = listener.accept()?;
        let mut hello = String::new();
        BufReader::new(&daemon).read_line(&mut hello)?;
        print!("{hello}");
        daemons.push(daemon);
    }
    println!("all {} have said hello; goodbye", daemons.len());
    Ok(())
}

/// What each of the daemons does.
fn participate(rank: &str, launcher: SocketAddr) -> Result<()> {
    let mut secret = String::new();
    std::io::stdin().take(4096).read_to_string(&mut secret)?;
    let ready = daemon::detach()?;
    let mut launcher = match TcpStream::connect(launcher) {
        Ok(launcher) => launcher,
        Err(error) => ready.fail(&format!("cannot reach the launcher at {launcher}: {error}")),
    };
    ready.ok();
    let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
    writeln!(launcher, "hello from p{rank} on {}, {} bytes of secret", name.trim(), secret.len())?;
    // The end of the connection is the end of this process.
    launcher.read_to_end(&mut Vec::new())?;
    Ok(())
}
