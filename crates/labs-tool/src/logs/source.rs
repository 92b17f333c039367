//! One log, read part by part, and its lines one by one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str;

use labs::logs::{Level, LogLine};

/// The longest line that is kept whole, in bytes: four times what is [shown](super::out) of one, if each letter
/// takes four. What is behind is left out.
const LINE_MAX: usize = 65_536;

/// A log of which lines are taken one after the other.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// How much of the file was read.
    pub(super) offset: u64,
    /// How long the file is known to be.
    pub(super) length: u64,
    /// Whether no more of it can be read.
    pub(super) has_ended: bool,
    /// What was read last.
    part: Vec<u8>,
    /// Where in it the next line begins.
    at: usize,
    /// Up to where it was looked for the end of that line.
    looked: usize,
    /// Whether that was found.
    is_found: bool,
    /// Whether what follows is the rest of a line that was too long.
    is_rest: bool,
    place: Place,
}

/// Where a line belongs: its Lamport time, and its time. Within a log neither goes back: what is written later
/// happened later.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    lamport: u64,
    time: String,
}

impl Place {
    /// That of a line which follows one of this place. What it does not say is that of the line before.
    fn go_on(&mut self, line: &LogLine<'_>) {
        self.lamport = line.lamport.unwrap_or(0).max(self.lamport);
        if let Some(time) = line.time
            && time > self.time.as_str()
        {
            self.time.clear();
            self.time.push_str(time);
        }
    }

    /// Becomes the same as another, without new memory.
    pub(super) fn follow(&mut self, other: &Self) {
        self.lamport = other.lamport;
        self.time.clone_from(&other.time);
    }
}

/// A line of a log.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// The whole of it.
    pub(super) text: &'a str,
    pub(super) level: Option<Level>,
    pub(super) rank: Option<u32>,
}

/// What there is next in a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// A line.
    Line,
    /// More of the file must be read to know.
    More,
}

impl Source {
    /// Takes what was read of the file.
    pub(super) fn add(&mut self, read: &[u8]) {
        self.offset += read.len() as u64;
        self.part.drain(..self.at);
        self.looked -= self.at;
        self.at = 0;
        self.part.extend_from_slice(read);
    }

    /// Looks for the next line, and finds its place.
    pub(super) fn look(&mut self) -> Next {
        while !self.is_found {
            match memchr::memchr(b'\n', &self.part[self.looked..]) {
                Some(length) => self.looked += length + 1,
                None => {
                    self.looked = self.part.len();
                    if self.looked - self.at <= LINE_MAX {
                        return Next::More;
                    }
                }
            }
            match self.is_rest {
                true => self.step_over(),
                false => self.find(),
            }
        }
        Next::Line
    }

    /// Finds that the next line ends where it was looked.
    fn find(&mut self) {
        self.is_found = true;
        let text = text(&self.part[self.at..self.looked]);
        self.place.go_on(&LogLine::read(&text));
    }

    /// The place of the line that was found.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The line that was found. The next look finds the one behind it.
    pub(super) fn take<T>(&mut self, show: impl FnOnce(&Line<'_>) -> T) -> T {
        let text = text(&self.part[self.at..self.looked]);
        let LogLine { level, rank, .. } = LogLine::read(&text);
        let shown = show(&Line { text: &text, level, rank });
        drop(text);
        self.step_over();
        shown
    }

    fn step_over(&mut self) {
        self.is_found = false;
        self.is_rest = !self.part[self.at..self.looked].ends_with(b"\n");
        self.at = self.looked;
    }

    /// Of which processes the lines are that were read and not taken, and whether any has a Lamport time.
    pub(super) fn ahead(&self) -> (BTreeSet<u32>, bool) {
        let read = String::from_utf8_lossy(&self.part[self.at..]);
        let lines = || read.lines().map(LogLine::read);
        (lines().filter_map(|line| line.rank).collect(), lines().any(|line| line.lamport.is_some()))
    }
}

/// A line without its end, as text.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Twice as fast for what is text, as all of it is.
    str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that can be taken, with their Lamport times.
    fn taken(source: &mut Source) -> Vec<(u64, String)> {
        let mut taken = Vec::new();
        while source.look() == Next::Line {
            let lamport = source.place().lamport;
            taken.push((lamport, source.take(|line| line.text.to_owned())));
        }
        taken
    }

    #[test]
    fn lines_come_whole_however_the_file_is_read() {
        let file = b"T1Z INFO  p0 @3 a\nT0Z INFO  p0 b\n\r\n \xff\nT2Z INFO  p0 @2 c\nbegun";
        for size in 1..=file.len() {
            let mut source = Source::default();
            let lines: Vec<_> = file
                .chunks(size)
                .flat_map(|part| {
                    source.add(part);
                    taken(&mut source)
                })
                .collect();
            let texts: Vec<_> = lines.iter().map(|(_, text)| text.as_str()).collect();
            let whole =
                ["T1Z INFO  p0 @3 a", "T0Z INFO  p0 b", "", " \u{fffd}", "T2Z INFO  p0 @2 c"];
            assert_eq!(texts, whole, "in parts of {size}");
            assert!(lines.iter().all(|(lamport, _)| *lamport == 3), "{lines:?}");
            assert_eq!(source.place().time, "T2Z");
        }
    }

    #[test]
    fn of_a_line_without_an_end_only_the_beginning_is_kept() {
        let mut source = Source::default();
        let mut lines = Vec::new();
        for _ in 0..100 {
            source.add(&[b'x'; 10_000]);
            lines.extend(taken(&mut source));
            assert!(source.part.len() <= LINE_MAX + 10_000, "memory is bounded");
        }
        source.add(b"\nnext\n");
        lines.extend(taken(&mut source));
        let lengths: Vec<_> = lines.iter().map(|(_, text)| text.len()).collect();
        assert_eq!(lengths, [70_000, 4]);
    }
}
