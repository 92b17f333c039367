//! The command line that all labs share.
//!
//! Every lab has the same four verbs, with the same options and the same report, and adds options of
//! its own: see [`main`]. Standard output carries the report and nothing else; whatever is said meanwhile
//! goes to standard error.
//!
//! Exit status: 0 if all properties hold, 1 if one is violated, 2 if the run could not come to its end
//! or be judged.

mod check;
mod delays;
mod hunt;
mod line;
pub mod live;
mod many;
mod output;
pub mod progress;
mod replay;
mod run;
mod show;
mod simulate;
pub mod trace_file;
mod unreturned;
pub mod usage;
pub mod verify;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, FromArgMatches, Subcommand};

use self::line::Line;
use self::output::safe;
pub use self::output::{init_log, offer, paint, print};
/// What `labs replay` hands on to the program of a lab.
pub use self::replay::ReplayArguments;
pub use self::run::{RunArguments, run};
use crate::faults::{Plan, PlanError, RULES_MAX};
use crate::files;
use crate::lab::{Lab, Verb, World};
use crate::planned::{Course, CourseOf, Planned};
use crate::report::{Brought, Report};
use crate::said::say;
use crate::trace::Identity;

/// The exit status of what could not be run, or judged.
pub const COULD_NOT_RUN: u8 = 2;

const AFTER_HELP: &str = "\
    Every verb runs without options. A run ends with a report: what ran where, how many \
    messages it took beside what theory predicts, and whether each property of the algorithm \
    holds.\n\
    \n\
    Exit status: 0 all properties hold; 1 one is violated; 2 the run could not come to its \
    end.";

/// What every lab's program does beside its own subcommands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Start real processes, here or over SSH, and judge what they did
    Run(run::Arguments),
    /// Run in virtual time on one thread: the same seed gives the same run, byte by byte
    Simulate(simulate::Arguments),
    /// Try every order of deliveries and timeouts, for few processes
    Check(check::Arguments),
    /// Simulate many short runs with everything drawn at random, and shrink the first that is wrong
    ///
    /// The number of processes, the options of the lab, how messages travel and what goes wrong are drawn anew for each
    /// run, within what the algorithm assumes; what is given here is not drawn. A hunt ends at the first violation, and
    /// prints the smallest `simulate` command line that shows it, and what happens there.
    ///
    /// Exit status: 0 nothing was found; 1 a property is violated; 2 no run could be judged, or it was interrupted.
    Hunt(hunt::Arguments),
    /// One process of a run, started by its launcher
    #[command(hide = true)]
    Participant {
        #[arg(long)]
        run: String,
        #[arg(long)]
        rank: u32,
    },
    /// What ends the processes of a run on this machine when its launcher is gone
    #[command(hide = true)]
    Keeper {
        #[arg(long)]
        run: String,
    },
    /// End what is left of a run on this machine
    #[command(hide = true)]
    Reap {
        #[arg(long)]
        run: String,
    },
    /// Go through a trace of this lab again, and compare (`labs replay` calls it)
    #[command(hide = true)]
    Replay(ReplayArguments),
    /// Judge a trace of this lab again (`labs verify` calls it)
    #[command(hide = true)]
    Verify(verify::VerifyArguments),
    /// Send a signal to a process of a run on this machine
    #[command(hide = true)]
    Signal {
        #[arg(long)]
        run: String,
        #[arg(long)]
        pid: u32,
        #[arg(long)]
        signal: String,
    },
}

/// The verbs that take the options of the lab.
const VERBS: [Verb; 3] = [Verb::Run, Verb::Simulate, Verb::Check];

/// What every verb takes.
#[derive(Args, Clone, Debug)]
struct Common {
    /// How many processes take part [default: the number that the lab shows best, often 5, in `check` 3]
    #[arg(long, short = 'n', value_name = "N")]
    processes: Option<u32>,
    /// What random choices are drawn from: the same seed gives the same choices [default: random in
    /// `run`, 1 elsewhere]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Write every event to FILE, one JSON object a line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// What goes wrong, and when: `drop 0->1 10%; kill 3 at 2s` (also delay, duplicate, reorder,
    /// partition, stop, continue, restart; docs/faults.md). `@FILE` reads it from a file; `none` where the
    /// lab brings faults to `simulate`; may be repeated
    #[arg(long, value_name = "PLAN", value_parser = faults)]
    faults: Vec<Faults>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Give up after so many seconds [default: 60, or more if the lab's options mean a longer run]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<f64>,
}

/// A plan of faults, and where it was read.
#[derive(Clone, Debug)]
struct Faults {
    plan: Plan,
    file: Option<PathBuf>,
}

/// How long a run, or a search, may take unless somebody says otherwise: who forgot it comes back and finds that
/// it has ended.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer a run may take than its processes are to work: they start and end, too.
const LEEWAY: Duration = Duration::from_secs(30);

impl Common {
    /// After how long to give up.
    fn timeout(&self) -> Duration {
        self.timeout.map_or(TIMEOUT, Duration::from_secs_f64)
    }

    /// After how long to give up on a real run of this lab: not before it can be over.
    fn timeout_of_run(&self, lab: &dyn Planned) -> anyhow::Result<Duration> {
        let lasts = lab.lasts().unwrap_or_default();
        if self.timeout.is_none() {
            return Ok(TIMEOUT.max(lasts + LEEWAY));
        }
        anyhow::ensure!(
            self.timeout() > lasts,
            "--timeout {}: the other options mean a run of {} s; leave it out, or give it more",
            self.timeout().as_secs_f64(),
            lasts.as_secs_f64()
        );
        Ok(self.timeout())
    }

    /// What random choices are drawn from, where runs are the same again.
    fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// What goes wrong, if that can be in this lab.
    fn faults(&self, lab: &dyn Planned) -> anyhow::Result<Plan> {
        let mut all = Plan::default();
        for rule in self.faults.iter().flat_map(|given| given.plan.rules()) {
            all.push(rule.clone());
        }
        anyhow::ensure!(
            all.rules().len() <= RULES_MAX,
            "--faults: a plan has at most {RULES_MAX} rules, and these are {}",
            all.rules().len()
        );
        all.validate(lab.processes()).context("--faults")?;
        if let Some(kinds) = lab.kinds().filter(|_| !all.is_empty()) {
            all.validate_kinds(&kinds).context("--faults")?;
        }
        Ok(all)
    }

    /// What the options of a verb mean.
    fn plan(&self, lab: Typed<'_>, verb: Verb) -> anyhow::Result<Box<dyn Planned>> {
        let world = World { verb, processes: self.processes, seed: self.seed() };
        (lab.plan)(&world)
    }
}

/// A lab with options that were typed, and not looked at yet.
#[derive(Clone, Copy)]
struct Typed<'a> {
    plan: &'a (dyn Fn(&World) -> anyhow::Result<Box<dyn Planned>> + Sync),
    /// The options that were not typed.
    brought: &'a [Brought],
}

/// What stands in the program of every lab, and tells it from others: `labs` runs only such ones.
pub const MARK: &str = "this is the program of a lab: run, simulate, check, replay";

/// The program of a lab: its `main` calls this and does nothing else.
pub fn main<L: Lab>() -> ExitCode {
    let participant = crate::run::participant::<L>;
    program(&CourseOf::<L>(PhantomData), &participant)
}

fn program(lab: &dyn Course, participant: &dyn Fn() -> anyhow::Result<()>) -> ExitCode {
    std::hint::black_box(MARK);
    netkit::signals::let_long_writes_fail();
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let line = line::Reader::new(lab).read(&words).unwrap_or_else(|error| usage::exit(&error));
    match dispatch(lab, &line, participant) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(&format!("{}: {}", lab.about().name, one_line(&error)));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The command line of a lab.
fn command(lab: &dyn Course) -> clap::Command {
    let about = lab.about();
    let command = clap::Command::new(about.name)
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true);
    // The subcommands bring a sentence of their own on what the program is: the lab's comes after it.
    let command = Command::augment_subcommands(command).about(about.about);
    let with_options = |command: clap::Command, verb: Verb| {
        command.mut_subcommand(verb.name(), |verb| lab.arguments(verb))
    };
    let command = VERBS.into_iter().fold(command, with_options);
    let command = command.mut_subcommand(hunt::VERB, |verb| hunt::with_options(verb, lab));
    let command = (about.tools.augment)(command);
    // `--processes -3` is a number that is too small, and no option `-3`.
    command.mut_subcommands(|subcommand| subcommand.allow_negative_numbers(true))
}

fn dispatch(
    lab: &dyn Course,
    Line { matches, brought }: &Line,
    participant: &dyn Fn() -> anyhow::Result<()>,
) -> anyhow::Result<u8> {
    let (name, options) = matches.subcommand().context("no subcommand")?;
    if !Command::has_subcommand(name) {
        return (lab.about().tools.run)(matches);
    }
    let plan = |world: &World| lab.plan(options, world);
    let typed = Typed { plan: &plan, brought };
    match Command::from_arg_matches(matches)? {
        Command::Run(arguments) => run::start(&arguments, typed),
        Command::Simulate(arguments) => simulate::simulate(&arguments, typed),
        Command::Check(arguments) => check::check(&arguments, typed),
        Command::Hunt(arguments) => hunt::hunt(&arguments, lab, options),
        Command::Participant { .. } => participant().map(|()| 0),
        Command::Keeper { .. } => crate::run::keep().map(|()| 0),
        Command::Reap { run } => {
            for pid in crate::run::reap(&run)? {
                print(&format!("killed {pid}\n"))?;
            }
            Ok(0)
        }
        Command::Replay(arguments) => replay::replay(&arguments, lab),
        Command::Verify(arguments) => verify::verify(&arguments, lab),
        Command::Signal { run, pid, signal } => match crate::run::signal(&run, pid, &signal)? {
            true => Ok(0),
            false => anyhow::bail!("no process {pid} of the run {run} is here"),
        },
    }
}

/// Which run of a lab this is.
fn identity(lab: &dyn Planned, verb: Verb, run: String, seed: u64) -> Identity {
    let (lab, processes) = (lab.about().name.to_owned(), lab.processes());
    Identity { lab, verb: verb.name().to_owned(), run, processes, seed }
}

/// Prints the report and returns the exit status that it means.
///
/// # Errors
///
/// If it cannot be written.
pub fn finish(report: &Report, json: bool) -> anyhow::Result<u8> {
    print(&match json {
        true => format!("{}\n", serde_json::to_string(report)?),
        false => safe(&report.to_text(paint()), paint()),
    })?;
    Ok(report.exit_status())
}

/// What failed, and why, and why that, on one line that is safe to show: names of files and answers of other
/// machines stand in it. Some errors tell their cause themselves: then it is not said twice.
pub fn one_line(error: &anyhow::Error) -> String {
    let line = error.chain().map(ToString::to_string).fold(String::new(), |line, cause| {
        match (line.is_empty(), line.contains(&cause)) {
            (true, _) => cause,
            (false, true) => line,
            (false, false) => format!("{line}: {cause}"),
        }
    });
    netkit::advice::advised(netkit::text::one_line(&line, usize::MAX))
}

/// The command line after the verb. Plans of faults stand in it as they are, and not the files that held
/// them: those may change, or be elsewhere when the trace is read. Options that came unasked stand behind it. It
/// is text, for people: bytes of a path that are no UTF-8 are replaced.
fn arguments_after_verb(brought: &[Brought]) -> Vec<String> {
    let arguments = std::env::args_os().skip(2);
    let mut arguments: Vec<String> =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    for i in 0..arguments.len() {
        let written = match arguments[i].strip_prefix("--faults=") {
            Some(_) => "--faults=",
            None if i > 0 && arguments[i - 1] == "--faults" => "",
            None => continue,
        };
        let value = &arguments[i][written.len()..];
        if let (true, Ok(read)) = (value.starts_with('@'), faults(value)) {
            arguments[i] = format!("{written}{}", read.plan);
        }
    }
    arguments.extend(line::words(brought));
    arguments
}

/// Arguments without these options and their values.
fn without_options(arguments: Vec<String>, options: &[&str]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, value) =
            argument.split_once('=').map_or((&*argument, None), |(n, v)| (n, Some(v)));
        match (options.contains(&name), value) {
            (true, None) => drop(arguments.next()),
            (true, Some(_)) => {}
            (false, _) => kept.push(argument),
        }
    }
    kept
}

/// Refuses a mistake that nothing would notice: as the lab says, or as it shows where a process starts again,
/// and none does.
fn check_mistake(lab: &dyn Planned, verb: Verb, faults: &Plan) -> anyhow::Result<()> {
    const PLAN: &str = "'kill 0 at 150ms; restart 0 at 160ms'";
    lab.shows_mistake().map_err(anyhow::Error::msg)?;
    let Some(mistake) = lab.needs_restart().filter(|_| faults.restarted().is_empty()) else {
        return Ok(());
    };
    if verb == Verb::Check && lab.shows_in_check() {
        return Ok(());
    }
    anyhow::ensure!(
        verb != Verb::Check,
        "--broken {mistake} shows where a process starts again, and in `check` one that has died stays dead: \
         take `simulate`, with --faults {PLAN}"
    );
    anyhow::bail!(
        "--broken {mistake} shows where a process starts again, and none does: add --faults {PLAN}"
    )
}

/// Makes sure that a trace can be written there, without harm to what is there now, and that the run does
/// not need it for something else.
fn check_trace(common: &Common, others: impl Iterator<Item = PathBuf>) -> anyhow::Result<()> {
    let Some(path) = &common.trace else { return Ok(()) };
    let write = || -> anyhow::Result<()> {
        files::check_regular(path)?;
        let plans = common.faults.iter().filter_map(|faults| faults.file.clone());
        for other in others.chain(plans) {
            files::check_other(path, &other)?;
        }
        std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write the trace to {}", path.display()))
}

/// The key of `-i`, as whoever works in another folder needs it. That it cannot be read is said before
/// anything is done: without a machine to reach nobody else would notice.
///
/// # Errors
///
/// If it cannot be read.
pub fn key(path: &Path) -> anyhow::Result<PathBuf> {
    let failed = || format!("-i: cannot read the key {}", path.display());
    files::open(path).with_context(failed)?;
    files::absolute(path).with_context(failed)
}

/// The largest file with a plan that is read, in bytes: far more than its rules may take.
const PLAN_MAX: u64 = 64 << 10;

/// Reads a plan, or the file that holds it.
fn faults(text: &str) -> Result<Faults, String> {
    let Some(path) = text.strip_prefix('@') else {
        let plan = text.parse().map_err(|error: PlanError| error.to_string())?;
        return Ok(Faults { plan, file: None });
    };
    let text = files::read_text(Path::new(path), PLAN_MAX);
    let text = text.map_err(|error| format!("{path}: {error}"))?;
    let plan = text.parse().map_err(|error: PlanError| format!("{path}: {error}"))?;
    Ok(Faults { plan, file: Some(path.into()) })
}

/// Reads a positive number of seconds.
///
/// # Errors
///
/// If the text is no number, or the time is too long.
pub fn seconds(text: &str) -> Result<f64, String> {
    /// A week: longer than any course lets a run take, and far from the end of time.
    const MAX: f64 = 604_800.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MAX => Ok(seconds),
        Ok(_) => Err(format!("a time-out is above 0 and at most {MAX} seconds")),
        Err(_) => Err("not a number of seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_ends_with_what_to_do() {
        let of = |number: i32| {
            let error = anyhow::Error::from(std::io::Error::from_raw_os_error(number));
            one_line(&error.context("cannot read the plan p"))
        };
        let missing = "cannot read the plan p: No such file or directory; check the name, and the \
                       folder it is looked for in";
        assert_eq!(of(2), missing);
    }
}
