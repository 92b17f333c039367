//! `labs view`: a trace as a page, in a file or, while it grows, from a server.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use netkit::run_id::RunId;

use crate::machines::MachineArguments;
use crate::{lab_program, logs, machines, states};
use labs::cli::live::{Feed, Server, open};
use labs::cli::{print, trace_file};
use labs::files::{check_other, check_regular, read_part};
use labs::lab::Verb;
use labs::logs::{LogLine, Placing};
use labs::process::ProcessId;
use labs::run::note::RunNote;
use labs::said::say;
use labs::trace::Header;
use labs::verdict::Verdict;
use labs::view::{LOGS_MAX, Trace, draw, page};

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// A file that a lab wrote with --trace
    trace: PathBuf,
    /// Where to write the page [default: the name of the trace, ending in .html]
    #[arg(long, short, value_name = "FILE", conflicts_with = "serve")]
    output: Option<PathBuf>,
    /// Write no file, but show the page from a server on this machine, and what is appended to the
    /// trace as it comes, until Ctrl-C
    #[arg(long)]
    serve: bool,
    /// The port to serve on, of 127.0.0.1 [default: any that is free]
    #[arg(
        long,
        requires = "serve",
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    port: u16,
    /// Open no browser
    #[arg(long)]
    no_open: bool,
    /// Do not look for the logs of the run. Else those that are left, of all its machines as with `labs logs`,
    /// are shown with the events at which they were written
    #[arg(long)]
    no_logs: bool,
    /// Do not go through the trace again for the states of the processes. Else the lab's program does, if it
    /// lies beside this one and the trace is not too long
    #[arg(long, conflicts_with = "serve")]
    no_states: bool,
    /// The lab's program, for states and for properties that are the lab's own [default: the one of that name
    /// beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    #[command(flatten)]
    machines: MachineArguments,
}

/// What the program says if the page cannot hold all lines.
const LOGS_CUT: &str = "labs: the page has not all lines of the logs: `labs logs` shows them";

/// How much time passes between two looks at a trace that may have grown.
const LOOK: Duration = Duration::from_millis(100);

/// After how many looks without news nothing more is expected of a run that has ended for some process: a trace is
/// written to its end at once.
const QUIET_LOOKS: u32 = 20;

pub(crate) fn view(arguments: &Arguments) -> anyhow::Result<u8> {
    match arguments.serve {
        true => serve(arguments),
        false => write(arguments),
    }
}

/// The lines of the logs of a real run, each with its process and the Lamport time of its event. A page
/// without them is better than none, so that a machine that does not answer is only said.
fn logs_of(
    arguments: &Arguments,
    header: &Header,
) -> anyhow::Result<Vec<(ProcessId, u64, String)>> {
    let run = header.run.parse::<RunId>();
    let Some(run) = run.ok().filter(|_| header.verb == Verb::Run.name() && !arguments.no_logs)
    else {
        return Ok(Vec::new());
    };
    let note = RunNote::of_run(&run);
    let machines = arguments.machines.machines(note.as_slice())?;
    let (logs, problems) = logs::all(&run, &machines, LOGS_MAX as u64);
    machines::status(&problems);
    Ok(logs.iter().flat_map(|log| placed(log)).collect())
}

/// The lines of one log.
fn placed(log: &[String]) -> Vec<(ProcessId, u64, String)> {
    let Some(rank) = log.iter().find_map(|line| LogLine::read(line).rank) else {
        return Vec::new();
    };
    let mut placing = Placing::default();
    let mut placed: Vec<_> = log.iter().flat_map(|line| placing.take(line)).collect();
    placed.extend(placing.finish());
    placed.into_iter().map(|(lamport, text)| (ProcessId(rank), lamport, text)).collect()
}

/// What the lab's program says of the properties, if it must be asked. A page on which some are not judged is
/// better than none.
fn verdicts_of(arguments: &Arguments, header: &Header) -> Option<Vec<Verdict>> {
    let verdicts = lab_program::verdicts(&arguments.trace, header, arguments.program.as_deref());
    verdicts.unwrap_or_else(|why| {
        say(&format!("labs: some properties were not judged: {why:#}"));
        None
    })
}

// -----------------------------------------------------------------------------------------------
// A file

fn write(arguments: &Arguments) -> anyhow::Result<u8> {
    let file = trace_file::open(&arguments.trace)?;
    // Better to know now than after the work.
    let output = output(arguments)?;
    let place = arguments.trace.display();
    let with_states = match arguments.no_states {
        true => Ok(None),
        false => states::draw_with_states(&arguments.trace, arguments.program.as_deref()),
    };
    let mut drawn = match with_states {
        Ok(Some(page)) => page,
        without => {
            let page = draw(file).with_context(|| format!("{place}"))?;
            if let Err(error) = without {
                say(&format!("labs: the page shows no states: {error:#}"));
            }
            page
        }
    };
    if let Some(verdicts) = verdicts_of(arguments, &drawn.header) {
        drawn.status.verdicts = verdicts;
    }
    let logs = logs_of(arguments, &drawn.header)?;
    let lines = logs.iter().map(|(process, lamport, text)| (*process, *lamport, text.as_str()));
    if !drawn.add_logs(lines) {
        say(LOGS_CUT);
    }
    let place = output.display();
    let failed = || format!("cannot write {place}");
    drawn
        .write(BufWriter::new(File::create(&output).with_context(failed)?))
        .with_context(failed)?;
    print(&format!("{place}\n"))?;
    if !arguments.no_open {
        let absolute = fs::canonicalize(&output).with_context(failed)?;
        open::open(&absolute.to_string_lossy());
    }
    Ok(0)
}

/// Where to write. A file that nobody named is not written over, but for an older page.
fn output(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    if let Some(output) = &arguments.output {
        let failed = || format!("cannot write {}", output.display());
        check_regular(output).with_context(failed)?;
        check_other(output, &arguments.trace).with_context(failed)?;
        return Ok(output.clone());
    }
    let output = arguments.trace.with_extension("html");
    if output.exists() && !is_page(&output) {
        bail!(
            "{} is there and no page of this program: name another with --output",
            output.display()
        );
    }
    Ok(output)
}

fn is_page(path: &Path) -> bool {
    let length = page::SIGNATURE.len() as u64;
    let start = File::open(path).and_then(|mut file| read_part(&mut file, 0, length));
    start.is_ok_and(|start| start == page::SIGNATURE.as_bytes())
}

// -----------------------------------------------------------------------------------------------
// A server

fn serve(arguments: &Arguments) -> anyhow::Result<u8> {
    let file = trace_file::open(&arguments.trace)?;
    let place = arguments.trace.display();
    let mut trace = Trace::new(file).with_context(|| format!("{place}"))?;
    let feed = Feed::new(trace.header().clone()).with_context(|| format!("{place}"))?;
    let server = Server::start(arguments.port, feed.clone()).with_context(|| {
        format!("cannot listen on 127.0.0.1:{}: name another --port, or none", arguments.port)
    })?;
    for (process, lamport, text) in logs_of(arguments, trace.header())? {
        if !feed.log(process, lamport, &text) {
            say(LOGS_CUT);
            break;
        }
    }
    labs::run::end_at_signal()?;
    print(&format!("{}\n", server.url()))?;
    say("serving until Ctrl-C");
    if !arguments.no_open {
        open::open(&server.url());
    }
    // Nobody ever sends: waiting for it is how to pause.
    let (_keeps_open, pause) = mpsc::channel::<()>();
    let mut quiet = 0;
    loop {
        let mut is_news = false;
        while let Some(entry) = trace.next_entry().with_context(|| format!("{place}"))? {
            feed.push(entry, trace.line()).with_context(|| format!("{place}"))?;
            is_news = true;
        }
        if is_news {
            let is_over = feed.is_over();
            feed.publish(is_over.then(|| verdicts_of(arguments, trace.header())).flatten());
        }
        quiet = if is_news { 0 } else { quiet + 1 };
        if quiet == QUIET_LOOKS && feed.is_ending() {
            let verdicts = verdicts_of(arguments, trace.header());
            feed.end(verdicts, trace.line()).with_context(|| format!("{place}"))?;
        }
        let _ = pause.recv_timeout(LOOK);
    }
}
