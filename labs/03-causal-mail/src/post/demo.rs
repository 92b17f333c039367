//! The three correspondents, end to end: three servers and three clients, each a process of its
//! own.
//!
//! Alice writes to Carol and then to Bob, who answers to Carol. Alice's server forwards to Carol's
//! late, so that the answer is there first. Once Carol reads in the order of arrival, once in
//! causal order.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::client::PASSWORD;
use super::{passwords, secret};

/// How late Alice's mail to Carol is: long after Bob's answer, even on a busy machine.
const DELAY_MS: u32 = 2_000;

/// The users, each with their domain.
const USERS: [(&str, &str); 3] = [("alice", "a.org"), ("bob", "b.org"), ("carol", "c.org")];

/// Other programs may take a port between our look and the server's start: it is tried so often.
const ATTEMPTS: u32 = 5;

/// Whether a signal has asked for the end. Then the servers end, and their folder goes.
static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Shows the anomaly, and the cure. Returns the exit status: 1 if either did not show.
///
/// # Errors
///
/// If something could not be started.
pub fn run() -> anyhow::Result<u8> {
    labs::run::at_signal(|| IS_INTERRUPTED.store(true, Ordering::Relaxed))?;
    // Clients hear Ctrl-C too. That they have ended is no news then.
    scenes().map_err(|error| if is_interrupted() { interrupted() } else { error })
}

fn scenes() -> anyhow::Result<u8> {
    let anomaly = scene("none")?;
    let cure = scene("causal")?;
    let (answer_first, question_first) = (anomaly == ["bob", "alice"], cure == ["alice", "bob"]);
    line(&format!("--order none:   Carol read the mails of {}", anomaly.join(", then ")))?;
    line(&format!("--order causal: Carol read the mails of {}", cure.join(", then ")))?;
    line(match (answer_first, question_first) {
        (true, true) => {
            "Without the matrix clock the answer came before the question; with it, after."
        }
        (false, _) => "The answer was not faster this time: the machine is very busy. Try again.",
        (true, false) => "The causal order does not hold: this is a mistake in the program.",
    })?;
    Ok(u8::from(!(answer_first && question_first)))
}

fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

fn interrupted() -> anyhow::Error {
    anyhow::anyhow!("interrupted: the demonstration was cut short")
}

/// Shows a line, unless somebody wants an end: each step shows one, and takes seconds at the most.
fn line(text: &str) -> anyhow::Result<()> {
    if is_interrupted() {
        return Err(interrupted());
    }
    labs::cli::print(&format!("{text}\n"))
}

/// One run. Returns whose mails Carol read, in this order.
fn scene(order: &str) -> anyhow::Result<Vec<String>> {
    line(&format!(
        "=== Carol reads with --order {order}; a.org forwards to c.org {DELAY_MS} ms late"
    ))?;
    let post = Post::start()?;
    let mut alice = post.client(0, "causal")?;
    let mut bob = post.client(1, "causal")?;
    let mut carol = post.client(2, order)?;
    alice.says("send carol@c.org -- Shall we meet at noon?")?;
    alice.hears("sent")?;
    alice.says("send bob@b.org -- I have asked Carol to meet us at noon.")?;
    alice.hears("sent")?;
    bob.says("wait")?;
    bob.says("read")?;
    bob.hears("I have asked")?;
    bob.says("send carol@c.org -- Noon suits me too.")?;
    bob.hears("sent")?;
    carol.says("wait 1")?;
    carol.hears("1 unread")?;
    carol.says("held")?;
    carol.says("read")?;
    // What is held now is read when what it waits for has come.
    let mut read = Vec::new();
    if order == "causal" {
        carol.hears("held:")?;
        carol.says("wait 2")?;
        carol.hears("unread")?;
    } else {
        read.push(carol.hears_from()?);
        carol.says("wait 1")?;
        carol.hears("unread")?;
    }
    carol.says("read")?;
    while read.len() < 2 {
        read.push(carol.hears_from()?);
    }
    carol.says("clock")?;
    carol.hears("carol@c.org ")?;
    line("")?;
    Ok(read)
}

/// Three servers in a folder of their own. They end with this, and the folder goes.
struct Post {
    servers: Vec<Child>,
    ports: Vec<u16>,
    _folder: tempfile::TempDir,
}

impl Post {
    fn start() -> anyhow::Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::try_start() {
                Ok(post) => return Ok(post),
                Err(error) if is_interrupted() => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no attempt")))
            .context("the servers do not start")
    }

    fn try_start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no folder for the mail")?;
        let listeners =
            USERS.iter().map(|_| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))));
        let listeners: Vec<_> = listeners.collect::<Result<_, _>>().context("no free ports")?;
        let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port()));
        let ports: Vec<u16> = ports.collect::<std::io::Result<_>>()?;
        let lines = USERS.iter().zip(&ports);
        let lines = lines.map(|((_, domain), port)| format!("127.0.0.1:{port}:{domain}\n"));
        let path = |name: &str| folder.path().join(name);
        fs::write(path("servers"), lines.collect::<String>())?;
        secret::create(&path("secret"))?;
        drop(listeners); // Now the ports are free for the servers.
        let mut post = Self { servers: Vec::new(), ports: ports.clone(), _folder: folder };
        for ((name, domain), port) in USERS.iter().zip(ports) {
            let folder = post._folder.path().to_owned();
            post.servers.push(start_server(&folder, name, domain, port)?);
        }
        Ok(post)
    }

    fn client(&self, who: usize, order: &str) -> anyhow::Result<Client> {
        let (name, domain) = USERS[who];
        let mut command = Command::new(program()?);
        command.args(["client", "127.0.0.1", &self.ports[who].to_string(), "--order", order]);
        command.args(["--address", &format!("{name}@{domain}")]).env(PASSWORD, name);
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))
            .context("a client does not start")?;
        let into = child.stdin.take().context("a client without standard input")?;
        let out = child.stdout.take().context("a client without standard output")?;
        Ok(Client { name, child, into, out: BufReader::new(out) })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(end);
    }
}

fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find this program itself")
}

/// Starts a program; if this machine, or the account, has run out of something, the error says what to do.
fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().map_err(|error| match netkit::threads::way_out(&error) {
        Some(hint) => anyhow::anyhow!("{error}; {hint}"),
        None => error.into(),
    })
}

fn start_server(folder: &Path, name: &str, domain: &str, port: u16) -> anyhow::Result<Child> {
    let password_file = folder.join(format!("passwords-{domain}"));
    passwords::set(&password_file, name, name)?;
    let mut command = Command::new(program()?);
    command.current_dir(folder).args(["server", &port.to_string(), domain, "servers"]);
    command.arg("--password-file").arg(password_file);
    command.args(["--ends-with", &std::process::id().to_string()]);
    if domain == "a.org" {
        command.args(["--delay", &format!("c.org={DELAY_MS}")]);
    }
    let mut server = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut line = String::new();
    let out = server.stdout.take().context("a server without standard output")?;
    BufReader::new(out).read_line(&mut line)?;
    match line.starts_with("listening") {
        true => Ok(server),
        false => {
            end(&mut server);
            anyhow::bail!("the server of {domain} has stopped")
        }
    }
}

/// Ends a process of ours, and waits for its end.
fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// A client in a pipe; all that passes is shown.
struct Client {
    name: &'static str,
    child: Child,
    into: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Client {
    fn says(&mut self, line: &str) -> anyhow::Result<()> {
        self::line(&format!("{}> {line}", self.name))?;
        writeln!(self.into, "{line}").with_context(|| format!("{}'s client has ended", self.name))
    }

    /// Shows what comes, up to a line with this in it, which is returned.
    fn hears(&mut self, part: &str) -> anyhow::Result<String> {
        loop {
            let mut line = String::new();
            let length = self.out.read_line(&mut line)?;
            anyhow::ensure!(length > 0, "{}'s client has ended without {part:?}", self.name);
            let line = line.trim_end();
            self::line(&format!("{}  {line}", self.name))?;
            if line.contains(part) {
                return Ok(line.to_owned());
            }
        }
    }

    /// The name of the sender of the next mail that is shown.
    fn hears_from(&mut self) -> anyhow::Result<String> {
        let line = self.hears("From: ")?;
        let name = line.strip_prefix("From: ").and_then(|from| from.split('@').next());
        self.hears("---")?;
        Ok(name.unwrap_or_default().to_owned())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
