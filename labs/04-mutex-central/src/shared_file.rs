//! The file that all clients write to, each in its critical section only. It is a proof of mutual exclusion that
//! needs no trace, and it refuses stale tokens.
//!
//! ```text
//! begin p3 lab02/4711 7
//! end p3 lab02/4711 7
//! ```
//!
//! The number is the token of the grant. **The file itself is what fences**: whoever writes takes a lock on it for
//! the moment of one line, reads the last line, and appends its own only if its token is not smaller.
//! (The lock is that of the system, `flock`, held for microseconds; the critical section, which may last for
//! seconds and belongs to a process that may be gone, is not protected by it.) A server of files, or a
//! database, would compare tokens in the same way; this one has no process of its own, so that the comparison is
//! made by those who write, all by the same rule.
//!
//! What a section cut short leaves is a `begin` without its `end`. If the next line has a greater token, the
//! section was over: its process died, or lost its lease. Two things are judged. Each `end` stands right behind
//! its `begin`, and whoever begins inside the section of another has the greater token; and tokens grow from section to section,
//! so that nothing stale was written.
//!
//! Over NFS, `flock` reaches all machines from NFSv4 on.

use std::fs::{File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use labs::files::read_part;
use labs::lab::{Application, Place};
use labs::shared_file::{self, LINE_MAX};
use labs::verdict::{Judgement, PropertyKind, Verdict};

use crate::messages::{Indication, Request};

/// How long a client tries to get the file for one line. Others hold it for microseconds; one that was stopped
/// at that very moment holds it until it goes on, and nobody shall hang with it.
const LOCK_MAX: Duration = Duration::from_secs(2);

/// The pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// One client's writer.
pub struct SharedFile {
    file: Option<File>,
    /// `p3 lab02/4711`.
    name: String,
}

impl SharedFile {
    /// Opens the file to append to; `path` is nothing where no file is asked for.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(path: Option<&Path>, place: &Place) -> io::Result<Self> {
        let file = path.map(shared_file::open).transpose()?;
        Ok(Self { file, name: format!("{} {}", place.me, place.name()) })
    }

    /// Appends a line, unless a greater token was seen before. Returns whether it did.
    fn write(&mut self, word: &str, token: u64) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(true) };
        lock(file)?;
        let result = append_unless_stale(file, word, &self.name, token);
        file.unlock()?;
        result
    }
}

fn append_unless_stale(file: &mut File, word: &str, name: &str, token: u64) -> io::Result<bool> {
    let last = Last::read(file)?;
    if last.token > token {
        return Ok(false);
    }
    // What a `kill -9` cut off ends its line here, so that it spoils no other.
    let end_of_last = if last.is_whole { "" } else { "\n" };
    file.write_all(format!("{end_of_last}{word} {name} {token}\n").as_bytes())?;
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "a lock of the system takes real time")]
fn lock(file: &File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() > LOCK_MAX => {
                return Err(io::Error::other(
                    "another process holds the lock on the shared file: is it stopped?",
                ));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
}

/// What stands at the end of the file.
struct Last {
    /// The token of the last line, 0 if there is none.
    token: u64,
    is_whole: bool,
}

impl Last {
    fn read(file: &mut File) -> io::Result<Self> {
        let end = file.seek(SeekFrom::End(0))?;
        let tail = read_part(file, end.saturating_sub(2 * LINE_MAX), 2 * LINE_MAX)?;
        let is_whole = tail.last().is_none_or(|&byte| byte == b'\n');
        let text = String::from_utf8_lossy(&tail);
        // A line that was cut off may lack a part of its token: the line before it counts.
        let whole = if is_whole { &*text } else { text.rsplit_once('\n').map_or("", |(w, _)| w) };
        let token = whole.lines().next_back().and_then(|line| Some(Line::parse(line)?.token));
        Ok(Self { token: token.unwrap_or(0), is_whole })
    }
}

/// A line of the file.
struct Line<'a> {
    is_begin: bool,
    name: &'a str,
    token: u64,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        let (name, token) = rest.rsplit_once(' ')?;
        let is_begin = match word {
            "begin" => true,
            "end" => false,
            _ => return None,
        };
        Some(Self { is_begin, name, token: token.parse().ok()? })
    }
}

impl Application<Indication, Request> for SharedFile {
    fn on_indication(&mut self, indication: &Indication) -> io::Result<Vec<Request>> {
        let (word, token) = match indication {
            Indication::Entered(token) => ("begin", *token),
            Indication::Left(token) => ("end", *token),
            _ => return Ok(Vec::new()),
        };
        Ok(match self.write(word, token)? {
            true => Vec::new(),
            false => vec![Request::Refused(token)],
        })
    }
}

/// Judges the file after a run that may have brought `expected` sections. Where not all processes were on
/// this machine, lines that are missing here may be elsewhere.
pub fn judge(path: &Path, expected: u64, one_machine: bool) -> Vec<Verdict> {
    let mut sections = Sections::default();
    let read = shared_file::read(path, |line| {
        sections.read(line);
        Ok(())
    });
    let is_whole = one_machine || sections.whole == expected;
    let verdict = |name: &str, wrong: &Option<String>, right: String| {
        let judgement = match (&read, wrong) {
            (Err(error), _) => {
                Judgement::Unknown(format!("cannot read {}: {error}", path.display()))
            }
            (Ok(_), Some(wrong)) => Judgement::violated(wrong),
            // What is not here may be elsewhere, and wrong.
            (Ok(_), None) if !is_whole => Judgement::Unknown(right),
            (Ok(_), None) => Judgement::Holds(right),
        };
        let tested = sections.whole > 1 || wrong.is_some();
        Verdict { name: name.to_owned(), kind: PropertyKind::Safety, tested, judgement }
    };
    let cut = match sections.cut {
        0 => String::new(),
        n => format!("; {n} cut short"),
    };
    let elsewhere = if is_whole { "" } else { "; give --file a path that all machines share" };
    let whole = format!(
        "{} of {expected} begin/end pairs, none interleaved{cut}{elsewhere}",
        sections.whole
    );
    let tokens = format!("tokens grow to {}{elsewhere}", sections.last);
    vec![
        verdict("mutual exclusion in the shared file", &sections.interleaved, whole),
        verdict("no stale write in the shared file", &sections.stale, tokens),
    ]
}

/// What stands in the file.
#[derive(Default)]
struct Sections {
    lines: u64,
    /// The section that began and has not ended yet.
    inside: Option<(String, u64)>,
    /// The greatest token.
    last: u64,
    whole: u64,
    cut: u64,
    interleaved: Option<String>,
    stale: Option<String>,
}

impl Sections {
    fn read(&mut self, line: &str) {
        self.lines += 1;
        let number = self.lines;
        let inside = self.inside.take();
        let Some(Line { is_begin, name, token }) = Line::parse(line) else {
            // A begin or an end that a `kill -9` cut off: the section of whoever wrote it was cut short.
            self.cut += 1;
            return;
        };
        let interleaved = match (is_begin, inside) {
            (true, Some((other, before))) if token <= before => Some(format!(
                "{name} begins inside the section of {other}, both with token {token}"
            )),
            (true, inside) => {
                self.cut += u64::from(inside.is_some());
                None
            }
            (false, Some((other, before))) if (other.as_str(), before) == (name, token) => {
                self.whole += 1;
                None
            }
            (false, Some((other, _))) => {
                Some(format!("{name} ends a section, but {other} is inside"))
            }
            (false, None) => Some(format!("{name} ends a section that is over")),
        };
        if let Some(what) = interleaved {
            self.interleaved.get_or_insert(format!("line {number}: {what}"));
        }
        if token < self.last || is_begin && token == self.last {
            let what =
                format!("line {number}: {name} writes with token {token} after {}", self.last);
            self.stale.get_or_insert(what);
        }
        self.last = self.last.max(token);
        if is_begin {
            self.inside = Some((name.to_owned(), token));
        }
    }
}

#[cfg(test)]
mod tests;
