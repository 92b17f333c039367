//! `labs`, a tool beside the labs: it looks at what their runs left, and knows no lab itself.
//!
//! Each verb is a module. Those that look at other machines run this same program there ([`machines`],
//! [`here`]); those that need the algorithm of a trace run the program of its lab ([`lab_program`]).

#![forbid(unsafe_code)]

mod calls;
mod export;
mod here;
mod hosts;
mod lab_program;
mod logs;
mod machines;
mod ps;
mod replay;
mod states;
mod stop;
mod table;
mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use labs::cli::progress::Progress;
use labs::cli::{COULD_NOT_RUN, finish, one_line, trace_file};
use labs::report::Report;
use labs::said::say;
use labs::verdict::{End, StreamJudge};

/// Look at what runs of the labs left
#[derive(Debug, Parser)]
#[command(name = "labs", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Judge a trace again, from the file alone
    Verify {
        /// A file that a lab wrote with --trace
        trace: PathBuf,
        /// Print the report as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Draw a trace as a space-time diagram, a page for the browser
    View(view::Arguments),
    /// Write a trace in the format of another tool, to standard output or a file
    Export(export::Arguments),
    /// Show which runs are alive, and on which machines
    #[command(after_help = ps::ABOUT)]
    Ps(ps::Arguments),
    /// End a run, on all its machines
    #[command(after_help = stop::ABOUT)]
    Stop(stop::Arguments),
    /// Show the logs of a run from all its machines, merged in causal order
    #[command(after_help = logs::ABOUT)]
    Logs(logs::Arguments),
    /// Try whether the machines are ready, before a class starts
    #[command(after_help = hosts::ABOUT)]
    Hosts(hosts::Arguments),
    /// Say what there is on this machine, to `labs` on another
    #[command(hide = true)]
    Here {
        #[command(subcommand)]
        what: here::Here,
    },
    /// Go through a trace again, and say whether the same happens
    #[command(after_help = replay::ABOUT)]
    Replay(replay::Arguments),
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().verb {
        Verb::Verify { trace, json } => verify(&trace).and_then(|report| finish(&report, json)),
        Verb::View(arguments) => view::view(&arguments),
        Verb::Export(arguments) => export::export(&arguments),
        Verb::Ps(arguments) => ps::ps(&arguments),
        Verb::Stop(arguments) => stop::stop(&arguments),
        Verb::Logs(arguments) => logs::logs(&arguments),
        Verb::Hosts(arguments) => hosts::hosts(&arguments),
        Verb::Here { what } => what.run(),
        Verb::Replay(arguments) => replay::replay(&arguments),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(&format!("labs: {}", one_line(&error)));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn verify(path: &Path) -> anyhow::Result<Report> {
    let place = path.display();
    let mut reader = trace_file::read(path)?;
    let header = reader.header().clone();
    let mut judge = StreamJudge::new(&header.properties, header.processes);
    let mut progress = Progress::new();
    let mut last_us = 0;
    while let Some(event) = reader.next() {
        let event = event.with_context(|| format!("{place}"))?;
        last_us = event.at_us.max(last_us);
        let line = reader.line();
        judge.observe(&event).with_context(|| format!("{place}, line {line}"))?;
        if line % (1 << 16) == 0 {
            progress.say(&format!("{line} lines"));
        }
    }
    let elapsed = progress.elapsed();
    drop(progress);
    let end = judge.end();
    let judge = judge.judge();
    Ok(Report {
        lab: header.lab,
        verb: format!("verify {}", header.verb),
        run: header.run,
        processes: header.processes,
        seed: header.seed,
        elapsed_s: elapsed.as_secs_f64(),
        virtual_s: None,
        states: None,
        hosts: Vec::new(),
        messages: Report::count(judge.messages(), &BTreeMap::new()),
        properties: judge.verdicts(&end),
        result: serde_json::json!({ "events": judge.events() }),
        trace: Some(place.to_string()),
        logs: Vec::new(),
        assumptions_broken: Vec::new(),
        faults: Vec::new(),
        problems: match &end {
            End::Complete => Vec::new(),
            End::CutShort(why) => vec![format!("the run was cut short: {why}")],
        },
        killed: Vec::new(),
        counterexample: Vec::new(),
        places: Vec::new(),
        began: true,
        lines: vec![format!(
            "{} events in {:.6} s of the run",
            judge.events(),
            last_us as f64 / 1_000_000.0
        )],
    })
}
