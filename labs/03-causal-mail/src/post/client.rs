//! The client: a prompt on a terminal, a reader of commands in a pipe.

use std::collections::{BTreeSet, VecDeque};
use std::env::VarError;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use labs::clocks::SparseMatrix;
use netkit::text;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use super::address::{Address, DOMAIN_MAX, NAME_MAX};
use super::mail::Mail;
use super::session::{self, Session, SessionError};
use super::{first_line, maildir, without_end};
use crate::ordering::{Mailed, Order};

/// What a client is told on its command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The host of the user's own server
    host: String,
    /// Its port
    port: u16,
    /// Whose box
    #[arg(long, value_name = "NAME@DOMAIN")]
    address: Address,
    /// In which order `read` shows mails
    #[arg(long, value_enum, default_value_t)]
    order: Sound,
    /// A file whose first line is the password [default: the variable CAUSAL_MAIL_PASSWORD, or it
    /// is asked for on the terminal]
    #[arg(long, value_name = "FILE")]
    password_from: Option<PathBuf>,
    /// How many seconds to try when the server is not there
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    patience: u64,
}

/// An [`Order`] that reads every mail. A box is no place for those that fail on purpose.
#[derive(Clone, Copy, Debug, Default)]
struct Sound(Order);

impl ValueEnum for Sound {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Order::None), Self(Order::Fifo), Self(Order::Causal)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        self.0.to_possible_value()
    }
}

/// What can be typed.
const HELP: &str = "\
send ADDRESS [ADDRESS...]          write a mail; the text follows, and ends with a line of one dot
send ADDRESS [ADDRESS...] -- TEXT  the same in one line
read        show what may be read, in order
held        show what has arrived and waits, and for which mails
wait [N]    wait until N unread mails are here (1 if not said), at most 30 seconds
clock       show the matrix: how many mails from whom to whom you know of
help        show this
quit        leave";

/// How long `wait` waits.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest text that is read, in bytes: above what any server takes.
const TEXT_MAX: usize = 1 << 20;

/// The longest identity of a mail that is shown, in characters: a number and an address.
const ID_MAX: usize = 20 + NAME_MAX + 1 + DOMAIN_MAX;

/// What stands before each line of a mail's text, so that none can be taken for the beginning or the
/// end of another mail.
const MARGIN: &str = "  ";

/// The variable that may hold the password.
pub const PASSWORD: &str = "CAUSAL_MAIL_PASSWORD";

/// Where commands come from.
trait Lines {
    /// The next line, without its end; nothing at the end of all.
    fn next(&mut self, prompt: &str) -> anyhow::Result<Option<String>>;

    /// Whether the next line was written before the last one was answered.
    fn is_ahead(&self) -> bool;
}

/// A terminal, with line editing and history.
struct Terminal {
    editor: Editor<(), MemHistory>,
    /// The rest of what was pasted: it may have several lines.
    pasted: VecDeque<String>,
}

impl Lines for Terminal {
    fn next(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        if let Some(line) = self.pasted.pop_front() {
            return Ok(Some(line));
        }
        match self.editor.readline(prompt) {
            Ok(lines) => {
                self.pasted.extend(lines.split('\n').map(|line| without_end(line).to_owned()));
                Ok(self.pasted.pop_front())
            }
            // Ctrl-C gives up the line, Ctrl-D the session.
            Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
            Err(ReadlineError::Eof) => Ok(None),
            Err(error) => Err(error).context("the terminal cannot be read"),
        }
    }

    fn is_ahead(&self) -> bool {
        !self.pasted.is_empty()
    }
}

/// A pipe or a file.
struct Pipe {
    from: io::StdinLock<'static>,
    /// Nothing was read yet.
    is_new: bool,
}

impl Lines for Pipe {
    fn next(&mut self, _: &str) -> anyhow::Result<Option<String>> {
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut self.from, TEXT_MAX as u64 + 1);
        limited.read_until(b'\n', &mut line).context("standard input cannot be read")?;
        anyhow::ensure!(line.len() <= TEXT_MAX, "a line is longer than {TEXT_MAX} bytes");
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8(line).context("standard input is no UTF-8")?;
        Ok(Some(match std::mem::replace(&mut self.is_new, false) {
            true => first_line(&line).to_owned(),
            false => without_end(&line).to_owned(),
        }))
    }

    fn is_ahead(&self) -> bool {
        true
    }
}

/// Lets a user type, until it leaves. Returns the exit status: 1 if something was refused in a
/// pipe.
///
/// # Errors
///
/// If the box cannot be opened, or the server goes away for longer than the patience.
pub fn run(options: Options) -> anyhow::Result<u8> {
    let password = password(&options)?;
    let Options { host, port, address, order: Sound(order), patience, .. } = options;
    let patience = Duration::from_secs(patience);
    let session =
        Session::open(session::Options { host, port, address, password, order, patience })?;
    let is_terminal = io::stdin().is_terminal();
    let lines: Box<dyn Lines> = match is_terminal {
        true => {
            let config = Config::builder().auto_add_history(true).build();
            let editor = Editor::with_history(config, MemHistory::new());
            let editor = editor.context("the terminal cannot be used")?;
            Box::new(Terminal { editor, pasted: VecDeque::new() })
        }
        false => Box::new(Pipe { from: io::stdin().lock(), is_new: true }),
    };
    let mut client = Client { session, lines, refusals: 0 };
    client.welcome(is_terminal, order)?;
    client.serve()?;
    Ok(u8::from(!is_terminal && client.refusals > 0))
}

fn password(options: &Options) -> anyhow::Result<String> {
    if let Some(path) = &options.password_from {
        let text = maildir::read(path).with_context(|| format!("{}", path.display()))?;
        return Ok(first_line(&text).to_owned());
    }
    match std::env::var(PASSWORD) {
        Ok(password) => return Ok(password),
        Err(VarError::NotUnicode(_)) => {
            anyhow::bail!("the password in {PASSWORD} is not UTF-8; use --password-from")
        }
        Err(VarError::NotPresent) => {}
    }
    anyhow::ensure!(
        io::stdin().is_terminal(),
        "no password: set {PASSWORD}, or name a file with --password-from"
    );
    rpassword::prompt_password(format!("password of {}: ", options.address))
        .context("the password cannot be read")
}

struct Client {
    session: Session,
    lines: Box<dyn Lines>,
    /// How many commands were refused.
    refusals: u32,
}

impl Client {
    fn welcome(&mut self, is_terminal: bool, order: Order) -> anyhow::Result<()> {
        let unread = self.session.fetch()?;
        let address = self.session.address();
        let order = match order {
            Order::None => "order of arrival",
            Order::Fifo => "FIFO order",
            Order::Causal => "causal order",
            Order::Scalar => "order by a scalar clock",
            Order::Vector => "order by a vector clock",
        };
        say(&format!("box of {address}: {unread} unread, {order}"))?;
        if is_terminal {
            say("`help` shows the commands")?;
        }
        Ok(())
    }

    fn serve(&mut self) -> anyhow::Result<()> {
        while let Some(line) = self.lines.next("> ")? {
            let (command, rest) = match line.trim().split_once(char::is_whitespace) {
                Some((command, rest)) => (command, rest.trim()),
                None => (line.trim(), ""),
            };
            let done = match command {
                "" => Ok(()),
                "send" => self.send(rest),
                "read" => self.read(),
                "held" => self.held(),
                "wait" => self.wait(rest),
                "clock" => self.clock(),
                "help" => say(HELP),
                "quit" | "exit" => return Ok(()),
                other => Err(anyhow::anyhow!(
                    "there is no command {other:?}; `help` shows those there are"
                )),
            };
            if let Err(error) = done {
                self.refused(error)?;
            }
        }
        Ok(())
    }

    /// Says why not, and goes on unless the server is gone.
    fn refused(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        match error.downcast_ref::<SessionError>() {
            Some(SessionError::Refused(_)) | None => {
                self.refusals += 1;
                say(&format!("refused: {}", text::one_line(&format!("{error:#}"), usize::MAX)))
            }
            Some(_) => Err(error),
        }
    }

    fn send(&mut self, rest: &str) -> anyhow::Result<()> {
        let (to, text) = match split_at_dashes(rest) {
            Some((to, text)) => (to, Some(text.to_owned())),
            None => (rest, None),
        };
        let signs = |c: char| c == ',' || c.is_whitespace();
        let to: Vec<_> = to.split(signs).filter(|to| !to.is_empty()).map(str::to_owned).collect();
        let text = match text {
            Some(text) => text,
            None => self.text_to(&to)?,
        };
        check_addresses(&to)?;
        let id = self.session.send(&to, &text)?;
        say(&format!("sent {}", text::one_line(&id, ID_MAX)))
    }

    /// The text of a mail to these. That it cannot be sent is said before anybody writes one.
    fn text_to(&mut self, to: &[String]) -> anyhow::Result<String> {
        let checked = check_addresses(to).and_then(|()| Ok(self.session.check(to)?));
        match checked {
            Ok(()) => self.text(),
            Err(why) => {
                if self.lines.is_ahead() {
                    self.text()?; // It is there already, and no command.
                }
                Err(why)
            }
        }
    }

    /// The lines up to one with a dot alone. A line that begins with a dot is written with two, as
    /// in SMTP.
    fn text(&mut self) -> anyhow::Result<String> {
        let mut text = String::new();
        let mut is_too_long = false;
        while let Some(line) = self.lines.next(". ")? {
            if line == "." {
                break;
            }
            let line = line.strip_prefix("..").map_or(line.clone(), |rest| format!(".{rest}"));
            is_too_long |= text.len() + line.len() > TEXT_MAX;
            if !is_too_long {
                text.push_str(&line);
                text.push('\n');
            }
        }
        anyhow::ensure!(!is_too_long, "the text is longer than {TEXT_MAX} bytes");
        Ok(text)
    }

    fn read(&mut self) -> anyhow::Result<()> {
        self.session.fetch()?;
        let mut count = 0;
        while let Some(mail) = self.session.next_mail() {
            say(&shown(&mail))?;
            self.session.confirm(&mail)?;
            count += 1;
        }
        let held = self.session.held().count();
        match (count, held) {
            (0, 0) => say("nothing to read"),
            (_, 0) => Ok(()),
            (_, 1) => say("1 mail is held: `held` says what it waits for"),
            (_, held) => say(&format!("{held} mails are held: `held` says what they wait for")),
        }
    }

    fn held(&mut self) -> anyhow::Result<()> {
        self.session.fetch()?;
        let mut lines = Vec::new();
        for (mail, missing) in self.session.held() {
            let missing = missing.into_iter().map(|(from, first, last)| match first == last {
                true => format!("mail {first} of {from} to you"),
                false => format!("mails {first} to {last} of {from} to you"),
            });
            let missing: Vec<_> = missing.collect();
            let from = &mail.envelope().from;
            lines.push(format!("{} of {from} waits for {}", mail.id(), missing.join(", ")));
        }
        match lines.is_empty() {
            true => say("nothing is held"),
            false => say(&lines.join("\n")),
        }
    }

    fn wait(&mut self, rest: &str) -> anyhow::Result<()> {
        let count = match rest {
            "" => 1,
            number => number.parse().context("`wait N`: how many mails?")?,
        };
        let here = self.session.wait(count, WAIT_MAX)?;
        say(&format!("{here} unread"))
    }

    fn clock(&mut self) -> anyhow::Result<()> {
        let clock = self.session.clock()?;
        say(&table(&clock))
    }
}

/// That these are addresses can be said without asking anybody.
fn check_addresses(to: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(!to.is_empty(), "to whom? `send NAME@DOMAIN`");
    Ok(to.iter().try_for_each(|to| to.parse::<Address>().map(drop))?)
}

/// What is before and behind the first `--` that stands alone: an address may have one in it.
fn split_at_dashes(command: &str) -> Option<(&str, &str)> {
    let is_edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
    command.match_indices("--").find_map(|(at, dashes)| {
        let (before, behind) = (&command[..at], &command[at + dashes.len()..]);
        let is_alone = is_edge(before.chars().next_back()) && is_edge(behind.chars().next());
        is_alone.then(|| (before, behind.trim_start()))
    })
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("standard output is closed")
}

/// A mail as `read` shows it.
fn shown(mail: &Mail) -> String {
    let envelope = mail.envelope();
    let to: Vec<_> = envelope.to.iter().map(Address::to_string).collect();
    format!(
        "--- {id}\nFrom: {from}\nTo: {to}\nDate: {date}\n\n{body}\n---",
        id = mail.id(),
        from = envelope.from,
        to = to.join(", "),
        date = mail.date("%F %T UTC"),
        body = text::lines(mail.body.trim_end_matches(['\r', '\n']), MARGIN),
    )
}

/// The most users of a matrix that is drawn; beyond, its entries are listed.
const DRAWN_MAX: usize = 8;

/// The matrix: a row for each sender, a column for each receiver.
fn table(clock: &SparseMatrix<Address>) -> String {
    if clock.is_empty() {
        return "you know of no mail".to_owned();
    }
    let users: BTreeSet<_> = clock.entries().flat_map(|(from, to, _)| [from, to]).collect();
    let mut text = String::new();
    if users.len() > DRAWN_MAX {
        for (from, to, count) in clock.entries() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{from} to {to}: {count}");
        }
        return text.trim_end().to_owned();
    }
    let width = users.iter().map(|user| user.to_string().len()).max().unwrap_or(0);
    let _ = write!(text, "{:width$}", "from \\ to");
    users.iter().for_each(|to| _ = write!(text, "  {to}"));
    for from in &users {
        let _ = write!(text, "\n{:width$}", from.to_string());
        for to in &users {
            let _ = write!(text, "  {:>1$}", clock.of(from, to), to.to_string().len());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_begins_behind_dashes_that_stand_alone() {
        for (command, split) in [
            ("bob@b.org", None),
            ("a--b@b--c.org", None),
            ("bob@b.org --hello", None),
            ("bob@b.org -- hello", Some(("bob@b.org ", "hello"))),
            ("a--b@c.org -- x --y", Some(("a--b@c.org ", "x --y"))),
            ("bob@b.org -- one -- two", Some(("bob@b.org ", "one -- two"))),
            ("bob@b.org --", Some(("bob@b.org ", ""))),
            ("-- hello", Some(("", "hello"))),
            ("bob@b.org --- x", None),
            ("ž --\tž", Some(("ž ", "ž"))),
        ] {
            assert_eq!(split_at_dashes(command), split, "{command:?}");
        }
    }
}
