//! `labs hosts`: is the room ready? It tries every machine of a host file as a run would use it, and says what
//! does not work and what to do about it.
//!
//! All machines are tried at the same time, each within a deadline, so thirty machines take a few seconds even
//! if three are off. The checks come in the order in which a run needs things: the SSH server, the host key, the
//! login, the program, room for logs in `/tmp`, and connections on free ports in both directions, which firewalls
//! often block. For the last check the program there calls back to this one, and this one calls it; each says a
//! word that only the two know.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use netkit::advice::shortage;
use netkit::hosts::Hosts;
use netkit::launch::LaunchOptions;
use netkit::ssh::Remote;
use serde::Serialize;

use crate::calls::{Called, LOOK_MAX, Look, Request, listen, look_here, new_word, while_waiting};
use crate::machines::{Machine, Ran, ReachArguments, run, with_all};
use crate::table;
use labs::cli::{COULD_NOT_RUN, print, seconds};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The machines, one a line: [user@]host[:port] [slots=N]
    #[arg(value_name = "FILE", default_value = "hosts.txt")]
    hosts: PathBuf,
    #[command(flatten)]
    reach: ReachArguments,
    /// The address at which the machines reach this one [default: the one that SSH used]
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<IpAddr>,
    /// How long each step of reaching a machine may take
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    timeout: f64,
    /// Print a list of JSON objects
    #[arg(long)]
    json: bool,
}

pub(crate) const ABOUT: &str = "\
    Tries every machine as `run` would use it, all at once:\n\
    \n\
    \x20 SSH      its name, its server, its host key, your login\n\
    \x20 PROGRAM  this program is there, in the same version\n\
    \x20 CLOCK    how far its clock is ahead of this one\n\
    \x20 PORTS    a free port can be reached, both ways\n\
    \x20 /TMP     logs can be written, and there is room\n\
    \n\
    Nothing depends on CLOCK but the times in logs. With --push the program can be copied. \
    Below the table stands, for each that failed, why and what to do.\n\
    \n\
    Exit status: 0 if all machines are ready; 2 if one is not.";

/// How much room logs and traces need, in bytes: some long runs.
const FREE_MIN: u64 = 64 << 20;

/// How far a clock may be off before it is said, in seconds: then lines of logs stand in the wrong order.
const OFFSET_MAX_S: f64 = 1.0;

/// How it went with one thing.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Check {
    Ok,
    Failed,
    /// Something before it failed.
    #[default]
    Untried,
    /// It is not needed.
    Unneeded,
}

/// What came of one machine.
#[derive(Clone, Debug, Default, Serialize)]
struct Checked {
    host: String,
    ready: bool,
    ssh: Check,
    program: Check,
    /// How many seconds its clock is ahead of this one.
    clock_offset_s: Option<f64>,
    ports: Check,
    tmp: Check,
    free_bytes: Option<u64>,
    /// What to mend, and what else to know.
    mend: Vec<String>,
    notes: Vec<String>,
    #[serde(skip)]
    machine: Option<String>,
}

pub(crate) fn hosts(arguments: &Arguments) -> anyhow::Result<u8> {
    let hosts = Hosts::read(&arguments.hosts)?;
    let options = LaunchOptions {
        connect_timeout: Duration::from_secs_f64(arguments.timeout),
        ..arguments.reach.options(LaunchOptions::default())?
    };
    let machines: Vec<_> =
        hosts.iter().map(|host| Machine { host: host.clone(), options: options.clone() }).collect();
    let hash = netkit::ssh::program_hash(&options.program).context("cannot read this program")?;
    let mut all = with_all(&machines, |machine| check(machine, &hash, arguments.advertise));
    name_doubles(&mut all);
    let is_ready = all.iter().all(|checked| checked.ready);
    print(&match arguments.json {
        true => format!("{}\n", serde_json::to_string(&all)?),
        false => text(&all),
    })?;
    Ok(if is_ready { 0 } else { COULD_NOT_RUN })
}

/// Tries one machine.
fn check(machine: &Machine, hash: &str, advertise: Option<IpAddr>) -> Checked {
    let mut checked = Checked { host: machine.label(), ..Checked::default() };
    let tried = match machine.host.is_local() {
        true => check_here(&mut checked),
        false => check_there(machine, hash, advertise, &mut checked),
    };
    if let Err(error) = tried {
        checked.mend.push(format!("{error:#}"));
    }
    checked.ready = checked.mend.is_empty();
    checked
}

/// This machine needs no SSH, and has the program.
fn check_here(checked: &mut Checked) -> anyhow::Result<()> {
    (checked.ssh, checked.program) = (Check::Unneeded, Check::Unneeded);
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let listener = TcpListener::bind((here, 0))?;
    let request = Request { call: listener.local_addr()?, word: new_word()? };
    let (look, called) = while_waiting(&listener, &request, here, || Ok(look_here(&request)));
    judge(look?, &called, request.call, checked);
    Ok(())
}

/// Another machine, over SSH.
fn check_there(
    machine: &Machine,
    hash: &str,
    advertise: Option<IpAddr>,
    checked: &mut Checked,
) -> anyhow::Result<()> {
    checked.ssh = Check::Failed;
    let there = netkit::ssh::resolve(&machine.host, &machine.options)?.ip();
    let mut remote = machine.connect()?;
    checked.ssh = Check::Ok;
    let here = advertise.unwrap_or_else(|| remote.local_address());
    let listener = listen(here).context("cannot listen on this machine")?;
    let port = listener.local_addr()?.port();
    let request = Request { call: (here, port).into(), word: new_word()? };
    let (look, called) = while_waiting(&listener, &request, there, || {
        look_there(&mut remote, machine, &request, checked)
    });
    let look = look?;
    match &look.hash {
        Some(there) if there == hash => {}
        _ => {
            checked.program = Check::Failed;
            checked.mend.push(format!(
                "{}: {} there is another version of the program; build it there anew, or use --push",
                checked.host,
                machine.options.program.display()
            ));
        }
    }
    judge(look, &called, request.call, checked);
    Ok(())
}

/// Runs this program there: that at the same path, else a copy.
fn look_there(
    remote: &mut Remote,
    machine: &Machine,
    request: &Request,
    checked: &mut Checked,
) -> anyhow::Result<Look> {
    checked.program = Check::Failed;
    let request = serde_json::to_vec(request)?;
    let program = &machine.options.program;
    let ask = |remote: &mut Remote, path: &str| run(remote, path, &["check"], &request, LOOK_MAX);
    if !machine.options.push
        && let Ran::Answered(look) = ask(remote, &program.display().to_string())?
    {
        checked.program = Check::Ok;
        return Ok(look);
    }
    let copy = remote.push(program)?;
    let Ran::Answered(look) = ask(remote, &copy)? else {
        anyhow::bail!(
            "{}: the copy {copy} cannot be run there; is it a machine of another kind, or a disk from \
             which nothing may be run (noexec)?",
            checked.host
        );
    };
    if machine.options.push {
        checked.program = Check::Ok;
    } else {
        checked.mend.push(format!(
            "{}: there is no program {}; share its folder with the machine, or use --push, which works",
            checked.host,
            program.display()
        ));
    }
    Ok(look)
}

/// What a machine's answer, and the call from it, say.
fn judge(look: Look, called: &Result<Called, String>, address: SocketAddr, checked: &mut Checked) {
    let host = checked.host.clone();
    checked.machine = Some(look.machine);
    match look.free {
        Ok(free) if free >= FREE_MIN => {
            (checked.tmp, checked.free_bytes) = (Check::Ok, Some(free));
        }
        Ok(free) => {
            (checked.tmp, checked.free_bytes) = (Check::Failed, Some(free));
            let megabytes = free >> 20;
            checked.mend.push(format!("{host}: only {megabytes} MiB are free in /tmp; make room"));
        }
        Err(why) => {
            checked.tmp = Check::Failed;
            checked.mend.push(format!("{host}: no logs can be written: {why}"));
        }
    }
    let back = match called {
        Ok(Called { offset_s, back }) => {
            checked.clock_offset_s = Some(*offset_s);
            back.clone()
        }
        Err(_) => Ok(()),
    };
    checked.ports = Check::Ok;
    let mut fail = |why: String| {
        checked.ports = Check::Failed;
        checked.mend.push(why);
    };
    match (&look.called, called) {
        (Err(why), _) | (Ok(()), Err(why)) if let Some(hint) = shortage(why) => {
            fail(format!("{host}: the ports cannot be tried: {why}; {hint}"));
        }
        (Err(why), _) | (Ok(()), Err(why)) => fail(format!(
            "{host}: it does not reach this machine at {address}: {why}; let the firewall here admit it to \
             all ports above 1023, or name another address with --advertise"
        )),
        (Ok(()), Ok(_)) => {}
    }
    if let Err(why) = back {
        fail(format!(
            "{host}: this machine does not reach it on a free port: {why}; let the firewall there admit the \
             machines of the room to all ports above 1023"
        ));
    }
    if let Some(offset) = checked.clock_offset_s.filter(|offset| offset.abs() > OFFSET_MAX_S) {
        checked.notes.push(format!(
            "{host}: its clock is {offset:+.1} s off: set it (NTP), or `labs logs` of runs without --trace \
             puts its lines in the wrong place; no verdict depends on it"
        ));
    }
}

/// Several lines of a host file may mean one machine: that is allowed, and good to know.
fn name_doubles(all: &mut [Checked]) {
    for at in 1..all.len() {
        let (before, rest) = all.split_at_mut(at);
        let first =
            before.iter().find(|one| one.machine.is_some() && one.machine == rest[0].machine);
        if let Some(first) = first {
            rest[0].notes.push(format!("{}: is the same machine as {}", rest[0].host, first.host));
        }
    }
}

// Telling.

fn text(all: &[Checked]) -> String {
    let mut lines =
        vec![["HOST", "SSH", "PROGRAM", "CLOCK", "PORTS", "/TMP", ""].map(str::to_owned)];
    for checked in all {
        let free = checked.free_bytes.map_or(String::new(), |free| format!(", {} MiB", free >> 20));
        lines.push([
            checked.host.clone(),
            cell(&checked.ssh),
            cell(&checked.program),
            checked.clock_offset_s.map_or("?".to_owned(), clock_offset),
            cell(&checked.ports),
            cell(&checked.tmp) + &free,
            if checked.ready { "ready" } else { "NOT READY" }.to_owned(),
        ]);
    }
    let mut text = table::of(&lines);
    let mend = all.iter().flat_map(|checked| &checked.mend).map(|line| ("mend", line));
    let notes = all.iter().flat_map(|checked| &checked.notes).map(|line| ("note", line));
    for (what, line) in mend.chain(notes) {
        text.push_str(&format!("{what}: {}\n", netkit::text::one_line(line, 1_000)));
    }
    text
}

fn cell(check: &Check) -> String {
    match check {
        Check::Ok => "ok",
        Check::Failed => "FAILED",
        Check::Untried => "?",
        Check::Unneeded => "-",
    }
    .to_owned()
}
/// A distance of clocks; what is rounded to nothing has no sign.
fn clock_offset(seconds: f64) -> String {
    match format!("{seconds:+.3} s") {
        text if text == "-0.000 s" => "+0.000 s".to_owned(),
        text => text,
    }
}
