//! `labs export`: a trace in the format of another tool.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;

use labs::cli::trace_file;
use labs::export::{ExportError, Format, export as write};
use labs::files::{check_other, check_regular};
use labs::said::say;
use labs::trace::gaps;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A file that a lab wrote with --trace
    trace: PathBuf,
    #[command(flatten)]
    format: Formats,
    /// Where to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Formats {
    /// The log of ShiViz: every event with its vector clock
    #[arg(long)]
    shiviz: bool,
    /// A sequence diagram of Mermaid, to put into a document
    #[arg(long)]
    mermaid: bool,
    /// A capture for Wireshark, which tools/wireshark/labs.lua teaches to read it
    #[arg(long)]
    pcap: bool,
}

impl Formats {
    fn chosen(&self) -> Format {
        match self {
            Self { shiviz: true, .. } => Format::Shiviz,
            Self { mermaid: true, .. } => Format::Mermaid,
            _ => Format::Pcap,
        }
    }
}

pub(crate) fn export(arguments: &Arguments) -> anyhow::Result<u8> {
    let format = arguments.format.chosen();
    let trace = trace_file::open(&arguments.trace)?;
    let done = match &arguments.output {
        Some(path) => {
            let failed = || format!("cannot write {}", path.display());
            check_regular(path).with_context(failed)?;
            check_other(path, &arguments.trace).with_context(failed)?;
            let file = File::create(path).with_context(failed)?;
            write(trace, format, &mut BufWriter::new(file))
        }
        None => {
            let out = io::stdout().lock();
            ensure!(
                format != Format::Pcap || !out.is_terminal(),
                "a capture is no text: name a file with --output"
            );
            write(trace, format, &mut BufWriter::new(out) as &mut dyn Write)
        }
    };
    match done {
        // A reader that has read enough (`| head`) is no reason to fail.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        done => {
            let place = arguments.trace.display();
            let gaps = done.with_context(|| place.to_string())?;
            if let Some(missing) = gaps::sentence(&gaps) {
                say(&format!("labs: {place}: {missing}, and so does what was written"));
            }
            Ok(0)
        }
    }
}
