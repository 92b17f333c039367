//! One HTML file with everything in it.
//!
//! Nothing that a trace says may become part of the page's program: it stands in a block of JSON in which
//! `<` is written as `\u003c`, so that no text can end the block, and the program puts texts into the page
//! as texts only. A content security policy says so to the browser as well: it runs the one program
//! whose hash is named there, and fetches nothing.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Chunk, Encoder};
use crate::process::ProcessId;
use crate::trace::{Gap, Header, Meaning};
use crate::verdict::{End, StreamJudge, Verdict};

/// How a page begins; nothing else that `labs` finds in a file may be written over.
pub const SIGNATURE: &str = "<!doctype html>\n<!-- A space-time diagram, made by `labs view` -->\n";

const BODY: &str = include_str!("page/body.html");
const STYLE: &str = include_str!("page/style.css");

/// The program, in the order in which its parts need each other.
const PROGRAM: [&str; 7] = [
    include_str!("page/trace.js"),
    include_str!("page/scene.js"),
    include_str!("page/svg.js"),
    include_str!("page/paint.js"),
    include_str!("page/diagram.js"),
    include_str!("page/panel.js"),
    include_str!("page/main.js"),
];

/// What a page shows.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The header of the trace.
    pub header: Header,
    /// What its indications mean.
    pub meaning: Meaning,
    /// How far the run has come, and what became of its properties.
    pub status: Status,
    /// The events of the trace, in columns.
    pub chunks: Vec<Chunk>,
    /// Whether the page asks the server that it came from for the events.
    pub live: bool,
}

/// How far a run has come.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Whether more events may follow.
    pub running: bool,
    /// Why it did not come to its end; nothing if it did, or goes on.
    pub cut_short: Option<String>,
    /// What became of its properties.
    pub verdicts: Vec<Verdict>,
    /// Which events are missing, once no more follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Gap>,
    /// By how many microseconds the events of each process are drawn later than its clock says, by rank; none
    /// where no clock is behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clock_shifts_us: Vec<i64>,
}

impl Status {
    /// What was seen so far, by the judge and on the way to the page.
    pub fn of(judge: &StreamJudge, encoder: &Encoder, running: bool) -> Self {
        let end = match running {
            true => End::CutShort("the run goes on".to_owned()),
            false => judge.end(),
        };
        let cut_short = match &end {
            End::CutShort(why) if !running => Some(why.clone()),
            _ => None,
        };
        let (verdicts, missing) = match running {
            true => (judge.judge().verdicts(&end), Vec::new()),
            false => (judge.verdicts(), judge.gaps()),
        };
        Self { running, cut_short, verdicts, missing, clock_shifts_us: encoder.clock_shifts() }
    }
}

impl Page {
    /// How many events it has.
    pub fn events(&self) -> usize {
        self.chunks.iter().map(Chunk::events).sum()
    }

    /// Adds the lines of one log after the other, each with its process, and the Lamport time of the event
    /// that it belongs to. Returns whether there was room for all.
    pub fn add_logs<'a>(
        &mut self,
        mut lines: impl Iterator<Item = (ProcessId, u64, &'a str)>,
    ) -> bool {
        let mut encoder = Encoder::new();
        let is_all = lines.all(|(process, lamport, text)| encoder.log(process, lamport, text));
        self.chunks.extend(encoder.take());
        is_all
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let program = program();
        let (script, style) = (hash(&program), hash(STYLE));
        write!(
            to,
            "{SIGNATURE}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data: blob:; \
             connect-src {connect}; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>labs view</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{BODY}\n\
             <script type=\"application/json\" id=\"trace\">",
            connect = if self.live { "'self'" } else { "'none'" },
        )?;
        to.write_all(json_in_html(self)?.as_bytes())?;
        write!(to, "</script>\n<script>{program}</script>\n</body>\n</html>\n")?;
        to.flush()
    }
}

/// A value as JSON that no HTML parser mistakes for HTML.
fn json_in_html(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// All parts in one block, so that they share their names with each other and with nobody else.
fn program() -> String {
    format!("'use strict';\n{{\n{}}}\n", PROGRAM.concat())
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests;
