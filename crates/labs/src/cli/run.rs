//! `run`.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use netkit::files;
use netkit::hosts::{Host, Hosts};
use netkit::launch::LaunchOptions;

use super::live::Live;
use super::made::Made;
use super::show::Show;
use super::{Common, arguments_after_verb, check_trace, finish, key};
use crate::faults::PlanError;
use crate::lab::{Findings, Lab, Place, Summary, Verb};
use crate::process::{Process as _, ProcessId};
use crate::report::{PlaceOf, Report, Struck, say};
use crate::run::{Audience as _, Launch, Plan, UntilSignal, host_label};
use crate::trace::event::{CLOCKS_MAX_PROCESSES, FORMAT};
use crate::trace::{Header, What};

/// The options of `run`.
#[derive(Args, Debug)]
pub struct Arguments<L: Lab> {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    machines: Machines,
    /// Put a mistake into the algorithm, and see which property notices
    #[arg(long, value_name = "MISTAKE")]
    broken: Option<L::Broken>,
    /// The lab's own.
    #[command(flatten)]
    pub options: L::Options,
}

#[derive(Args, Debug)]
struct Machines {
    /// The machines, one a line: [user@]host[:port] [slots=N] [default: this machine]
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// Who starts whom: the launcher all, each process the next from its own machine, or each those below it
    /// [default: what the lab is about, else star]
    #[arg(long, value_enum)]
    launch: Option<Launch>,
    /// Copy this program to the machines, if they do not have it at the same path
    #[arg(long)]
    push: bool,
    /// Trust machines whose host key is not known yet, and remember it. A changed key is refused anyway
    #[arg(long)]
    accept_new: bool,
    /// The private key to log in with
    #[arg(short = 'i', value_name = "KEY")]
    identity: Option<PathBuf>,
    /// The file of known host keys, instead of ~/.ssh/known_hosts
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// The address at which the machines reach this one [default: the one that SSH used]
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<IpAddr>,
    /// Leave the processes there when they have finished, until Ctrl-C or `labs stop`
    #[arg(long)]
    stay: bool,
    /// Show the run in the browser as it goes on: its space-time diagram, on this port of 127.0.0.1 [default:
    /// any that is free]. The page stays when the run has ended, until Ctrl-C or `labs stop`
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    view: Option<u16>,
    /// The largest frame that is accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = netkit::frame::MAX_FRAME, value_parser = max_frame)]
    max_frame: usize,
}

/// Smaller frames would not hold what the launcher says, nor a part of a journal.
const FRAME_MIN: usize = 256 << 10;

/// Larger ones would let one neighbour fill the memory of a lab machine.
const FRAME_MAX: usize = 256 << 20;

fn max_frame(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (FRAME_MIN..=FRAME_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("a number of bytes from {FRAME_MIN} to {FRAME_MAX}")),
    }
}

/// Starts real processes, judges what they did, and prints the report. Returns the exit status that it
/// means.
///
/// # Errors
///
/// If nothing could be started, or the result not be judged.
pub fn run<L: Lab>(arguments: Arguments<L>) -> anyhow::Result<u8> {
    let Arguments { common, machines, broken, options } = arguments;
    init_log();
    let run = crate::run::new_run_id();
    let seed = common.seed.unwrap_or_else(|| seed_from(run.as_str()));
    let made = Made::<L>::new(Verb::Run, &common, seed, broken, options)?;
    let Made { processes, broken, options } = made;
    let faults = common.faults(processes)?;
    let hosts = match &machines.hosts {
        Some(path) => Hosts::read(path)?,
        None => Hosts::localhost(),
    };
    let identity = machines.identity.as_deref().map(key).transpose()?;
    // Better to know now than after the run.
    check_trace(&common, machines.hosts.iter().cloned().chain(L::files(&options)))?;
    for process in faults.restarted() {
        let place = Place::simulated(process.0, processes);
        if L::process(&options, &place).recovered().is_none() {
            return Err(PlanError::keeps_nothing(process)).context("--faults");
        }
    }
    let properties = L::properties(&options, processes);
    let live = machines.view.map(|port| {
        let header = Header {
            trace: FORMAT,
            lab: L::NAME.to_owned(),
            verb: Verb::Run.name().to_owned(),
            run: run.to_string(),
            processes,
            seed,
            arguments: arguments_after_verb(),
            clocks: processes <= CLOCKS_MAX_PROCESSES,
            properties: properties.clone(),
        };
        Live::start(header, port)
    });
    let live = live.transpose()?;
    // One that ends the run ends the page too.
    let until_signal = live.as_ref().map(|_| UntilSignal::new()).transpose()?;
    let mut show = Show::new(L::screen(&options, processes), live.clone(), common.json);
    let plan = Plan {
        lab: L::NAME,
        run: run.clone(),
        processes,
        seed,
        launch: LaunchOptions {
            program: std::env::current_exe().context("cannot find this program itself")?,
            push: machines.push,
            identity,
            accept_new: machines.accept_new,
            // Daemons work in another folder, and in a chain this path travels to them.
            known_hosts: machines.known_hosts.as_deref().map(files::absolute).transpose()?,
            ..LaunchOptions::default()
        },
        hosts: hosts.clone(),
        mode: machines.launch.unwrap_or(L::LAUNCH),
        advertise: machines.advertise,
        overlay: L::overlay(&options),
        properties,
        options: serde_json::to_value(&options)?,
        broken: broken.as_ref().map(serde_json::to_value).transpose()?,
        arguments: arguments_after_verb(),
        trace: common.trace.clone(),
        timeout: common.timeout(),
        stay: machines.stay,
        max_frame: machines.max_frame,
        follow: show.follows(),
        follow_logs: live.is_some(),
        catches_signals: live.is_some(),
        faults: faults.clone(),
        survives_crashes: L::CRASHES,
    };

    let mut findings = L::findings(&options, processes);
    let finished = crate::run::run(
        plan,
        |event| {
            if let Some(live) = &live {
                live.on_judged(event);
            }
            match &event.what {
                What::Indication(note) => findings.on_indication(event.process, note, event.at_us),
                What::Crash => findings.on_crash(event.process, event.at_us),
                _ => {}
            }
        },
        &mut show,
    )?;
    drop(show);

    let complete = finished.problems.is_empty();
    let one_machine = hosts.iter().all(Host::is_local);
    let mut properties = finished.verdicts;
    if finished.began {
        properties.extend(L::judge_remains(&options, processes, complete, one_machine));
    }
    let judge = &finished.judge;
    let summary = Summary {
        messages: judge.messages().clone(),
        elapsed: finished.elapsed,
        is_virtual: false,
    };
    let mut messages = Report::count(judge.messages(), &L::predicted(&options, processes));
    if finished.has_gaps {
        // What was not seen was not counted.
        messages.values_mut().for_each(|count| count.measured = None);
    }
    let used: std::collections::BTreeSet<_> = hosts.place(processes).into_iter().collect();
    let report = Report {
        lab: L::NAME.to_owned(),
        verb: Verb::Run.name().to_owned(),
        run: run.to_string(),
        processes,
        seed,
        elapsed_s: finished.elapsed.as_secs_f64(),
        virtual_s: None,
        states: None,
        hosts: used.iter().filter_map(|&i| hosts.get(i)).map(host_label).collect(),
        messages,
        properties,
        result: if finished.has_gaps { serde_json::Value::Null } else { findings.json(&summary) },
        trace: common.trace.as_ref().map(|path| path.display().to_string()),
        logs: finished
            .participants
            .iter()
            .filter(|participant| !participant.log.is_empty())
            .map(|participant| format!("{}:{}", participant.host, participant.log))
            .collect(),
        assumptions_broken: faults.broken(L::ASSUMES, &finished.toll),
        faults: Struck::all(&faults, &finished.toll),
        problems: finished.problems,
        killed: finished.killed,
        began: finished.began,
        counterexample: Vec::new(),
        places: (0..)
            .zip(&finished.participants)
            .map(|(process, p)| PlaceOf {
                process,
                host: p.host.clone(),
                pid: p.pid,
                known: findings.of_process(ProcessId(process)),
            })
            .collect(),
        lines: match finished.has_gaps {
            true => vec!["the result is not known: events are missing".to_owned()],
            false => [finished.deaths, findings.lines(&summary)].concat(),
        },
    };
    let status = finish(&report, common.json)?;
    if let (Some(live), Some(until_signal)) = (live, until_signal) {
        live.end();
        say(&format!("the page stays at {} until Ctrl-C, or `labs stop {run}`", live.url()));
        until_signal.wait()?;
    }
    Ok(status)
}

/// What the launcher has to say beside its report, on standard error: warnings, unless `RUST_LOG` asks
/// for more.
fn init_log() {
    let environment = env_logger::Env::default().default_filter_or("error");
    // A second logger is impossible: this is the first thing that the program does.
    let _ = env_logger::Builder::from_env(environment).format_timestamp_micros().try_init();
}

/// A seed for a run that was given none: its name is random already.
fn seed_from(run: &str) -> u64 {
    run.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
        % 1_000_000
}
