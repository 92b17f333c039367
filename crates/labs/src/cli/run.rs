//! `run`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use netkit::files;
use netkit::hosts::{Host, Hosts};
use netkit::launch::LaunchOptions;
use netkit::run_id::RunId;

use super::delays::Delays;
use super::live::Live;
use super::show::Show;
use super::{
    Common, Typed, arguments_after_verb, check_mistake, check_trace, finish, identity, key,
};
use crate::faults::{self, PlanError, with_delay};
use crate::lab::{Findings, Lab, Launch, Remains, Summary, Verb, World};
use crate::planned::{Deployed, Planned, PlannedLab};
use crate::process::ProcessId;
use crate::report::{PlaceOf, Report, Struck};
use crate::run::old_runs;
use crate::run::{Audience as _, Finished, MadeOf, Plan, Room, UntilSignal, Watched, host_label};
use crate::said::say;
use crate::trace::{Header, Identity, Noted, What};

/// The options of `run` that all labs share.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    machines: Machines,
}

/// The options of `run`, for a lab's own subcommand that is a run too.
#[derive(Args, Debug)]
pub struct RunArguments<L: Lab> {
    #[command(flatten)]
    arguments: Arguments,
    /// Put a mistake into the algorithm, and see which property notices
    #[arg(long, value_name = "MISTAKE")]
    broken: Option<L::Mistake>,
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
    #[command(flatten)]
    left: Left,
    /// Show the run in the browser as it goes on: its space-time diagram, on this port of 127.0.0.1 [default:
    /// any that is free]. The page stays when the run has ended, until Ctrl-C or `labs stop`
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    view: Option<u16>,
    /// The largest frame that is accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = netkit::frame::MAX_FRAME, value_parser = max_frame)]
    max_frame: usize,
}

/// What is left on the machines after a run.
#[derive(Args, Debug)]
struct Left {
    /// Leave the processes there when they have finished, until Ctrl-C or `labs stop`
    #[arg(long)]
    stay: bool,
    /// Leave the logs of old runs in /tmp [default: those of more than a week, and of more than a hundred runs, are
    /// removed]
    #[arg(long)]
    keep: bool,
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

/// Does what the verb `run` does. Returns the exit status that it means.
///
/// # Errors
///
/// If nothing could be started, or the result not be judged.
pub fn run<L: Lab>(
    arguments: RunArguments<L>,
    plan: impl Fn(L::Options, &World) -> anyhow::Result<L> + Sync,
) -> anyhow::Result<u8>
where
    L::Options: Clone + Sync,
{
    let RunArguments { arguments, broken, options } = arguments;
    let plan = |world: &World| {
        let (lab, mistake) = (plan(options.clone(), world)?, broken.clone());
        Ok(Box::new(PlannedLab { lab, mistake }) as Box<dyn Planned>)
    };
    start(&arguments, Typed { plan: &plan, brought: &[] })
}

/// Starts real processes, judges what they did, and prints the report.
pub(super) fn start(arguments: &Arguments, lab: Typed<'_>) -> anyhow::Result<u8> {
    super::init_log("error");
    let run = crate::run::new_run_id();
    let Arguments { common, machines } = arguments;
    let seed = common.seed.unwrap_or_else(|| seed_from(run.as_str()));
    let brought = lab.brought;
    let lab = &*(lab.plan)(&World { verb: Verb::Run, processes: common.processes, seed })?;
    let faults = common.faults(lab)?;
    check_mistake(lab, Verb::Run, &faults)?;
    let timeout = common.timeout_of_run(lab)?;
    let hosts = machines.hosts()?;
    let deployed = lab.deployed();
    // Better to know now than after the run.
    let needed = machines.hosts.iter().chain(&deployed.files).cloned();
    check_trace(common, needed)?;
    check_restarts(lab, &faults)?;
    let identity = identity(lab, Verb::Run, run.to_string(), seed);
    let header =
        Header::new(identity, arguments_after_verb(brought), lab.properties(), lab.meaning());
    let live = machines.view.map(|port| Live::start(header.clone(), port)).transpose()?;
    // One that ends the run ends the page too.
    let until_signal = live.as_ref().map(|_| UntilSignal::new()).transpose()?;
    let Deployed { overlay, launch, survives_crashes, screen, .. } = deployed;
    // Who starts again goes on, and the others wait for it.
    let survives_crashes = survives_crashes || faults.restarts_all();
    let mut show = Show::new(screen, live.clone(), common.json);
    let (options, broken) = lab.written()?;
    let plan = Plan {
        header: header.clone(),
        run: run.clone(),
        made_of: MadeOf { options, broken },
        room: machines.room(hosts.clone(), launch)?,
        overlay,
        faults: faults.clone(),
        survives_crashes,
        watched: match show.follows() {
            _ if live.is_some() => Watched::Page,
            true => Watched::Terminal,
            false => Watched::No,
        },
        trace: common.trace.clone(),
        timeout,
        stay: machines.left.stay,
        keep: machines.left.keep,
    };
    let mut findings = lab.findings();
    let one_machine = hosts.iter().all(Host::is_local);
    let mut delays = Delays::new(one_machine && lab.delay_max().is_some());
    let finished = crate::run::run(
        plan,
        |event| {
            if let Some(live) = &live {
                live.on_judged(event);
            }
            delays.observe(event);
            match &event.what {
                What::Indication(note) => findings.on_indication(event.process, note, event.at_us),
                What::Crash(_) => findings.on_crash(event.process, event.at_us),
                _ => {}
            }
        },
        &mut show,
    )?;
    drop(show);
    let ran = Ran { lab, faults: &faults, hosts: &hosts, slowest: delays.slowest(), finished };
    let mut report = ran.report(header.identity, &*findings);
    report.brought = brought.to_vec();
    report.trace = common.trace.as_ref().map(|path| path.display().to_string());
    let status = finish(&report, common.json)?;
    machines.left.clean_up();
    if let Some((live, until_signal)) = live.zip(until_signal) {
        keep_page(&live, until_signal, &run)?;
    }
    Ok(status)
}

impl Left {
    fn clean_up(&self) {
        if !self.keep
            && let Some(removed) = old_runs::remove()
        {
            say(&removed);
        }
    }
}

/// Serves the page of a run that has ended, until somebody ends that too.
fn keep_page(live: &Live, until_signal: UntilSignal, run: &RunId) -> anyhow::Result<()> {
    live.end();
    say(&format!("the page stays at {} until Ctrl-C, or `labs stop {run}`", live.url()));
    until_signal.wait()
}

/// Refuses to start a process again that keeps nothing.
fn check_restarts(lab: &dyn Planned, faults: &faults::Plan) -> anyhow::Result<()> {
    match faults.restarted().into_iter().find(|&process| !lab.recovers(process)) {
        Some(process) => Err(PlanError::keeps_nothing(process)).context("--faults"),
        None => Ok(()),
    }
}

impl Machines {
    /// The machines, where the lab would start its participants as `launch` says.
    fn room(&self, hosts: Hosts, launch: Launch) -> anyhow::Result<Room> {
        Ok(Room {
            hosts,
            launch: self.launch_options()?,
            mode: self.launch.unwrap_or(launch),
            advertise: self.advertise,
            max_frame: self.max_frame,
        })
    }

    fn hosts(&self) -> anyhow::Result<Hosts> {
        match &self.hosts {
            Some(path) => Ok(Hosts::read(path)?),
            None => Ok(Hosts::localhost()),
        }
    }

    fn launch_options(&self) -> anyhow::Result<LaunchOptions> {
        Ok(LaunchOptions {
            program: std::env::current_exe().context("cannot find this program itself")?,
            push: self.push,
            identity: self.identity.as_deref().map(key).transpose()?,
            accept_new: self.accept_new,
            // Daemons work in another folder, and in a chain this path travels to them.
            known_hosts: self.known_hosts.as_deref().map(files::absolute).transpose()?,
            ..LaunchOptions::default()
        })
    }
}

/// A run that has ended.
struct Ran<'a> {
    lab: &'a dyn Planned,
    faults: &'a faults::Plan,
    hosts: &'a Hosts,
    /// How long the slowest message was under way, as far as that is known.
    slowest: Duration,
    finished: Finished,
}

impl Ran<'_> {
    fn report(self, identity: Identity, findings: &dyn Findings<dyn Noted>) -> Report {
        let Self { lab, faults, hosts, slowest, finished } = self;
        let mut properties = finished.verdicts;
        let assumes = lab.about().assumes;
        let by_plan = faults.broken(assumes, &finished.toll, lab.processes());
        if finished.began {
            let complete = finished.problems.is_empty();
            let one_machine = hosts.iter().all(Host::is_local);
            properties.extend(lab.remains(Remains { complete, one_machine }));
        }
        let judge = &finished.judge;
        let (messages, elapsed) = (judge.messages().clone(), finished.elapsed);
        let mut counts = Report::count(&messages, &lab.predicted());
        if finished.has_gaps {
            // What was not seen was not counted.
            counts.values_mut().for_each(|count| count.measured = None);
        }
        let summary = Summary { messages, elapsed, is_virtual: false };
        let used: BTreeSet<_> = hosts.place(lab.processes()).into_iter().collect();
        let participants = &finished.participants;
        let logged = participants.iter().filter(|participant| !participant.log.is_empty());
        Report {
            elapsed_s: elapsed.as_secs_f64(),
            hosts: used.iter().filter_map(|&i| hosts.get(i)).map(host_label).collect(),
            messages: counts,
            properties,
            result: match finished.has_gaps {
                true => serde_json::Value::Null,
                false => findings.json(&summary),
            },
            logs: logged.map(|p| format!("{}:{}", p.host, p.log)).collect(),
            assumptions_broken: with_delay(by_plan, assumes, lab.delay_max(), slowest),
            faults: Struck::all(faults, &finished.toll),
            problems: finished.problems,
            killed: finished.killed,
            began: finished.began,
            places: (0..)
                .zip(participants)
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
            ..Report::of(identity)
        }
    }
}

/// A seed for a run that was given none: its name is random already.
fn seed_from(run: &str) -> u64 {
    run.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
        % 1_000_000
}
