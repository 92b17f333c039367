//! What is shown while a real run goes on: the lab's own picture if it has one, else a line of progress.
//!
//! On a terminal the picture stands still and its lines are written over, all in one write, so that nothing
//! flickers; in a pipe each event that matters is one line. With `--json` it is one JSON object a line, on a
//! terminal too: what programs read does not depend on where it goes. All of it goes to standard error.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::live::Live;
use super::output::{paint, safe};
use super::progress::{Progress, now};
use crate::lab::{Participant, Screen};
use crate::process::ProcessId;
use crate::run::Audience;
use crate::said::say;
use crate::trace::TraceEvent;

/// How often the picture is drawn anew at the most: the eye sees no more.
const REDRAW: Duration = Duration::from_millis(100);

/// The size of a terminal that does not say it.
const SIZE: (usize, usize) = (80, 24);

/// Shows a run on standard error.
pub(super) struct Show {
    progress: Progress,
    screen: Option<Box<dyn Screen>>,
    /// The page in the browser, if one is wanted.
    live: Option<Live>,
    form: Form,
    /// How many lines the picture has that stands there.
    drawn: usize,
    drawn_at: Option<Instant>,
}

/// In which form a run is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Picture,
    Text,
    Json,
}

impl Form {
    fn new(is_json: bool, on_terminal: bool) -> Self {
        match (is_json, on_terminal) {
            (true, _) => Self::Json,
            (false, true) => Self::Picture,
            (false, false) => Self::Text,
        }
    }
}

impl Show {
    pub(super) fn new(screen: Option<Box<dyn Screen>>, live: Option<Live>, is_json: bool) -> Self {
        let form = Form::new(is_json, std::io::stderr().is_terminal());
        Self { progress: Progress::new(), screen, live, form, drawn: 0, drawn_at: None }
    }

    /// One line of text or JSON.
    fn say(&mut self, line: &str) {
        self.progress.clear();
        match self.form {
            Form::Json => say(line),
            // Names of machines and what processes tell stand in it.
            Form::Picture | Form::Text => say(&safe(line, paint())),
        }
    }

    fn draw(&mut self) {
        let Some(screen) = &self.screen else { return };
        let size = terminal_size::terminal_size_of(std::io::stderr());
        let (width, height) =
            size.map_or(SIZE, |(width, height)| (width.0.into(), height.0.into()));
        // The last line is left free, or the terminal would scroll.
        let mut lines = screen.lines(width, height.saturating_sub(1));
        lines.truncate(height.saturating_sub(1));
        let picture = picture(&lines, width, self.drawn);
        self.drawn = lines.len();
        self.drawn_at = Some(now());
        let _ = std::io::stderr().write_all(picture.as_bytes());
    }
}

impl Audience for Show {
    fn progress(&mut self, message: &str) {
        // The picture says it better, once there is one.
        if self.drawn == 0 {
            self.progress.say(message);
        }
    }

    fn on_start(&mut self, participants: &[Participant]) {
        let Some(screen) = &mut self.screen else { return };
        screen.on_start(participants);
        for (process, participant) in (0..).map(ProcessId).zip(participants) {
            if let Some(line) = line_of_start(self.form, process, participant) {
                self.say(&line);
            }
        }
    }

    fn follows(&self) -> bool {
        self.screen.is_some() || self.live.is_some()
    }

    fn on_event(&mut self, event: &TraceEvent) {
        if let Some(live) = &self.live {
            live.on_event(event);
        }
        let Some(screen) = &mut self.screen else { return };
        let line = match self.form {
            Form::Json => screen.on_event_json(event).map(|object| object.to_string()),
            Form::Picture | Form::Text => screen.on_event(event),
        };
        if let (Some(line), Form::Json | Form::Text) = (line, self.form) {
            self.say(&line);
        }
    }

    fn on_log(&mut self, process: ProcessId, lines: &str) {
        if let Some(live) = &self.live {
            live.on_log(process, lines);
        }
    }

    fn refresh(&mut self) {
        if let Some(live) = &self.live {
            live.publish();
        }
        let is_time = self.drawn_at.is_none_or(|at| at.elapsed() >= REDRAW);
        if self.form == Form::Picture && is_time {
            self.progress.clear();
            self.draw();
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        // The last picture stays, as it was at the end.
        if self.drawn > 0 {
            self.draw();
        }
    }
}

/// Where a participant runs, said once before all events; the picture has it anyway.
fn line_of_start(form: Form, process: ProcessId, participant: &Participant) -> Option<String> {
    let Participant { host, pid, .. } = participant;
    match form {
        Form::Picture => None,
        Form::Text => Some(format!("{process} runs on {host}, process {pid}")),
        Form::Json => {
            let start = json!({ "event": "start", "process": process, "host": host, "pid": pid });
            Some(start.to_string())
        }
    }
}

/// Lines that are written over the picture that stands there, which has `above` lines.
fn picture(lines: &[String], width: usize, above: usize) -> String {
    // Terminals that know it show nothing between these two marks.
    let mut text = String::from("\u{1b}[?2026h");
    if above > 0 {
        let _ = write!(text, "\u{1b}[{above}A");
    }
    for line in lines {
        let line: String = line.chars().take(width).collect();
        let _ = writeln!(text, "\r{line}\u{1b}[K");
    }
    // What is left of a longer one.
    text.push_str("\u{1b}[J\u{1b}[?2026l");
    text
}

#[cfg(test)]
mod tests;
