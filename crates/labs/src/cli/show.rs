//! What is shown while a real run goes on: the lab's own picture if it has one, else a line of progress.
//!
//! On a terminal the picture stands still and its lines are written over, all in one write, so that nothing
//! flickers; in a pipe each event that matters is one line. All of it goes to standard error.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::progress::{Progress, now};
use crate::lab::Screen;
use crate::report::say;
use crate::run::{Audience, Participant};
use crate::trace::TraceEvent;

/// How often the picture is drawn anew at the most: the eye sees no more.
const REDRAW: Duration = Duration::from_millis(100);

/// The size of a terminal that does not say it.
const SIZE: (usize, usize) = (80, 24);

/// Shows a run on standard error.
pub(super) struct Show {
    progress: Progress,
    screen: Option<Box<dyn Screen>>,
    on_terminal: bool,
    /// How many lines the picture has that stands there.
    drawn: usize,
    drawn_at: Option<Instant>,
}

impl Show {
    pub(super) fn new(screen: Option<Box<dyn Screen>>) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Self { progress: Progress::new(), screen, on_terminal, drawn: 0, drawn_at: None }
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
        if !self.on_terminal {
            for (rank, Participant { host, pid, .. }) in participants.iter().enumerate() {
                say(&format!("p{rank} runs on {host}, process {pid}"));
            }
        }
    }

    fn follows(&self) -> bool {
        self.screen.is_some()
    }

    fn on_event(&mut self, event: &TraceEvent) {
        let line = self.screen.as_mut().and_then(|screen| screen.on_event(event));
        if let (Some(line), false) = (line, self.on_terminal) {
            say(&line);
        }
    }

    fn refresh(&mut self) {
        let is_time = self.drawn_at.is_none_or(|at| at.elapsed() >= REDRAW);
        if self.on_terminal && is_time {
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
mod tests {
    use super::picture;

    #[test]
    fn a_picture_is_written_over_the_one_before() {
        let lines = ["alive".to_owned(), "a line that is too long".to_owned()];
        let text = picture(&lines, 6, 3);
        assert_eq!(
            text,
            "\u{1b}[?2026h\u{1b}[3A\ralive\u{1b}[K\n\ra line\u{1b}[K\n\u{1b}[J\u{1b}[?2026l"
        );
    }
}
