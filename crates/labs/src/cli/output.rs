//! What goes to standard output.
//!
//! Writing there can fail in two ways. The reader may have read enough (`| head`): that is no error, and nothing
//! is said. Or the disk is full: then the output is missing, and the user must be told. `println!` panics in both
//! cases.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context as _;

use crate::text::Paint;

/// Writes to standard output. A reader that is gone is no error.
///
/// # Errors
///
/// If it cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    offer(text).map(drop)
}

/// Writes to standard output, and returns whether somebody still reads.
///
/// # Errors
///
/// If it cannot be written.
pub fn offer(text: &str) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        done => done.map(|()| true).context("cannot write to standard output"),
    }
}

/// Text that is safe on a terminal: no character in it commands one, but the ends of lines and, if it was
/// painted, the colours of [`Paint`].
pub(super) fn safe(text: &str, paint: Paint) -> String {
    match paint {
        Paint::Coloured => safe_but_colours(text),
        Paint::Plain => {
            let lines = text.split('\n').map(|line| netkit::text::one_line(line, usize::MAX));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

fn safe_but_colours(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (number, part) in text.split('\x1b').enumerate() {
        let colour = if number == 0 { "" } else { colour(part) };
        if number > 0 {
            safe.push_str(if colour.is_empty() { "\\u{1b}" } else { "\x1b" });
        }
        safe.push_str(colour);
        for (number, line) in part[colour.len()..].split('\n').enumerate() {
            if number > 0 {
                safe.push('\n');
            }
            safe.push_str(&netkit::text::one_line(line, usize::MAX));
        }
    }
    safe
}

/// The rest of a command that [`Paint`] may give, if the text begins with one: `[38;5;33m`. Others hide
/// text, say, and a stranger may have written them.
fn colour(text: &str) -> &str {
    let Some(end) = text.find('m') else { return "" };
    let command = &text[..=end];
    let number = command.strip_suffix('m').and_then(|command| command.strip_prefix('['));
    let is_byte = |number: &str| number.parse::<u8>().is_ok();
    let is_ours = number.is_some_and(|number| match number.strip_prefix("38;5;") {
        Some(of_256) => is_byte(of_256),
        None => matches!(number, "0" | "1" | "31" | "32" | "33" | "34" | "35" | "36"),
    });
    if is_ours { command } else { "" }
}

/// Logs to standard error: what is as bad as `level` or worse, unless `RUST_LOG` asks for more. What
/// strangers sent stands in such lines, so each is made safe to show.
pub fn init_log(level: &str) {
    let environment = env_logger::Env::default().default_filter_or(level);
    let mut builder = env_logger::Builder::from_env(environment);
    builder.format(|out, record| {
        let said = netkit::text::one_line(&record.args().to_string(), usize::MAX);
        let time = humantime::format_rfc3339_millis(netkit::logs::now());
        let level = record.level();
        writeln!(out, "[{time} {level:<5} {}] {said}", record.target())
    });
    // A second logger is impossible: this is the first thing that the program does.
    let _ = builder.try_init();
}

/// Colours on a terminal, unless its user wants none (`NO_COLOR`).
pub fn paint() -> Paint {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match io::stdout().is_terminal() && !is_unwanted {
        true => Paint::Coloured,
        false => Paint::Plain,
    }
}

/// Writes as long as somebody reads; what comes later is let go.
pub(super) struct WhileRead<W>(pub(super) W);

impl<W: Write> Write for WhileRead<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_and_ends_of_lines_reach_a_terminal() {
        let text = "\x1b[1mbold\x1b[0m\n\x1b[2J\x1b]0;title\x07 \x1b[38;5;33mp0\x1b[0m \u{202e}x\x1b[8m\x1b";
        let shown = "\x1b[1mbold\x1b[0m\n\\u{1b}[2J\\u{1b}]0;title\\u{7} \x1b[38;5;33mp0\x1b[0m \\u{202e}x\\u{1b}[8m\\u{1b}";
        assert_eq!(safe(text, Paint::Coloured), shown);
        let plain = safe("a\n\x1b[31mb\x1b[0m\n", Paint::Plain);
        assert_eq!(plain, "a\n\\u{1b}[31mb\\u{1b}[0m\n");
    }
}
