//! The lines that are wanted, on standard output.

use std::collections::BTreeSet;

use anstyle::AnsiColor;

use super::source::Line;
use labs::cli::{offer, paint};
use labs::logs::Level;
use labs::text::Paint;

/// The longest line that is shown, in letters.
const LINE_SHOWN: usize = 16_384;

/// How much is written at once, in bytes.
const AT_ONCE: usize = 1 << 16;

/// Writes the lines that are wanted to standard output.
pub(super) struct Out {
    /// All, if there is none.
    processes: BTreeSet<u32>,
    level: Level,
    paint: Paint,
    /// What is still to be written.
    waiting: String,
}

impl Out {
    pub(super) fn new(processes: &[u32], level: Level) -> Self {
        let processes = processes.iter().copied().collect();
        Self { processes, level, paint: paint(), waiting: String::new() }
    }

    /// Shows a line, if it is wanted. Returns whether somebody reads.
    pub(super) fn show(&mut self, line: &Line<'_>) -> anyhow::Result<bool> {
        if self.is_wanted(line) {
            self.waiting.push_str(&self.coloured(line));
            self.waiting.push('\n');
        }
        if self.waiting.len() < AT_ONCE { Ok(true) } else { self.flush() }
    }

    /// Writes what is left to be written. Returns whether somebody reads.
    pub(super) fn flush(&mut self) -> anyhow::Result<bool> {
        let is_read = offer(&self.waiting)?;
        self.waiting.clear();
        Ok(is_read)
    }

    fn is_wanted(&self, line: &Line<'_>) -> bool {
        let is_of_rank = self.processes.is_empty()
            || line.rank.is_some_and(|rank| self.processes.contains(&rank));
        let is_of_level = line.level.is_none_or(|level| level <= self.level);
        is_of_rank && is_of_level
    }

    fn coloured(&self, line: &Line<'_>) -> String {
        // What stands in a log must not command the terminal.
        let text = netkit::text::one_line(line.text, LINE_SHOWN);
        let (Paint::Coloured, Some(rank)) = (self.paint, line.rank) else { return text };
        let process = self.paint.of_rank(rank, &format!("p{rank}"));
        let text = text.replacen(&format!(" p{rank} "), &format!(" {process} "), 1);
        let colour = |colour, word| text.replacen(word, &self.paint.colour(colour, word), 1);
        match line.level {
            Some(Level::Error) => colour(AnsiColor::Red, "ERROR"),
            Some(Level::Warn) => colour(AnsiColor::Yellow, "WARN"),
            _ => text,
        }
    }
}
