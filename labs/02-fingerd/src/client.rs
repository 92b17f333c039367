//! The client: sends a query, and prints what comes until the server closes.
//!
//! The server closes when the answer is complete; that is how a client knows that it has all of it.
//! There is no length in front and no mark at the end. So an answer that was cut off, by a server
//! that died, can look like a whole one. (The system of a server *process* that dies may send a
//! reset, and then the client says so.)
//!
//! The answer is from a stranger, and much of it was written by other people. Only text reaches the
//! terminal: all control characters but the end of a line and the tab are escaped.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use netkit::sockets;
use netkit::text::one_line;

use crate::PORT;

/// What `query` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// About whom to ask; without it, who is logged in
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub login: String,
    /// The machine to ask: a name or an address
    #[arg(long)]
    pub host: String,
    /// The port to ask at; 79 is the protocol's own
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Ask for more than usual (/W)
    #[arg(long, short)]
    pub verbose: bool,
    /// How long to wait for the connection, and each time for something to come
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// The longest line that is shown as one: a server must not fill our memory.
const MAX_LINE: u64 = 8192;

/// Asks, and prints the answer.
///
/// # Errors
///
/// If the server cannot be reached, falls silent, or breaks the connection.
pub fn query(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let login = &options.login;
    ensure!(
        !login.chars().any(char::is_control),
        "a query is one line of text; --login has control characters in it"
    );
    let timeout = Duration::from_secs(options.timeout);
    let mut stream = sockets::connect_tcp(&options.host, options.port, timeout)?;
    let server = stream.peer_addr()?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let verbose = if options.verbose { "/W " } else { "" };
    // In one write: a server may think that the first bytes are the whole query.
    let query = format!("{verbose}{login}\r\n");
    stream.write_all(query.as_bytes()).with_context(|| format!("cannot ask {server}"))?;
    let mut answer = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = answer.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if let Err(error) = read {
            out.write_all(shown(&line).as_bytes())?;
            let why = sockets::reason(&error);
            anyhow::bail!("the answer of {server} is not whole: {why}");
        }
        if line.is_empty() {
            out.flush()?;
            return Ok(());
        }
        out.write_all(shown(&line).as_bytes()).context("cannot print the answer")?;
    }
}

/// A line as it may be shown, with its end if it had one.
fn shown(line: &[u8]) -> String {
    let (text, end) = match line.strip_suffix(b"\n") {
        Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), "\n"),
        None => (line, ""),
    };
    let text = String::from_utf8_lossy(text);
    let parts: Vec<_> = text.split('\t').map(|part| one_line(part, usize::MAX)).collect();
    parts.join("\t") + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_reaches_the_terminal() {
        assert_eq!(shown(b"Login: a\t\tName: b\r\n"), "Login: a\t\tName: b\n");
        assert_eq!(shown(b"\x1b]0;x\x07\r\r\n"), "\\u{1b}]0;x\\u{7}\\r\n");
        assert_eq!(shown("né\u{9b}".as_bytes()), "né\\u{9b}");
        assert_eq!(shown(b"\xff"), "\u{fffd}");
        assert_eq!(shown(b""), "");
    }
}
