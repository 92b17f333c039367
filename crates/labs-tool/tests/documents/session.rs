//! One shell in which the commands of a document are run, one after the other.
//!
//! It has a network, process numbers and a `/tmp` of its own (namespaces of Linux, for which nobody
//! must be root): documents that use the same ports do not meet, `ps` shows what the document
//! started, and when the shell ends, the kernel ends everything else in there.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the commands of one step may take: the longest takes 11 s, and others build beside it.
const STEP_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a command beside others has until it must have printed its first line. One that prints
/// nothing must be there by then.
pub(crate) const READY_TIME: Duration = Duration::from_secs(3);

/// Makes the shell's surroundings, and becomes it: `$0` and `$1` are the user and group.
///
/// Without a network nobody knows other names: said at once, and not after asking in vain.
const ENTER: &str = "ip link set lo up && hostname vm && mount -t tmpfs tmpfs /tmp && \
                     echo 'hosts: files' > /tmp/names && chmod 644 /tmp/names && \
                     mount --bind /tmp/names /etc/nsswitch.conf && \
                     exec unshare --user --map-user=$0 --map-group=$1 bash --norc --noprofile";

/// The user who owns nothing, on all systems.
const NOBODY: u32 = 65534;

/// What the repository lends to documents, which name these files.
const LENT: [&str; 4] = ["hosts.txt", "labs", "networks", "tools"];

/// A shell in a folder of its own.
pub(crate) struct Session {
    shell: Child,
    stdin: ChildStdin,
    done: Receiver<String>,
    folder: TempDir,
    steps: usize,
    is_over: bool,
}

/// What became of a step.
pub(crate) struct Ran {
    pub(crate) printed: String,
    /// Where a command in the background goes on printing.
    pub(crate) file: PathBuf,
    /// Commands that failed, each behind its exit status.
    pub(crate) failed: Vec<String>,
}

/// A command that runs beside others.
pub(crate) struct Beside {
    printed: PathBuf,
    group: String,
}

/// Whether sessions are possible here; if not, why not.
pub(crate) fn are_possible(target: &Path) -> Result<(), String> {
    if target.starts_with("/tmp") {
        return Err("the target folder is below /tmp, and a document has a /tmp of its own".into());
    }
    let output =
        enter().stdin(Stdio::null()).output().map_err(|error| format!("setpriv: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "there are no namespaces for ordinary users here: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

fn enter() -> Command {
    // The shell dies with its parents, and with the shell all that it started.
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "unshare",
        "--kill-child",
        "--user",
        "--map-root-user",
        "--net",
        "--pid",
        "--mount",
        "--uts",
    ]);
    command.args(["--mount-proc", "--fork", "bash", "-c", ENTER]);
    // Programs behave as for an ordinary user, though root tests.
    let is_root = nix::unistd::geteuid().is_root();
    let user = if is_root { NOBODY } else { nix::unistd::geteuid().as_raw() };
    let group = if is_root { NOBODY } else { nix::unistd::getegid().as_raw() };
    command.args([user.to_string(), group.to_string()]);
    command
}

impl Session {
    /// A shell that finds the programs, in a folder with what documents read of the repository.
    pub(crate) fn start(programs: &Path, repository: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        for name in ["work", "home"] {
            fs::create_dir(folder.path().join(name))?;
        }
        for name in LENT {
            symlink(repository.join(name), folder.path().join("work").join(name))?;
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = enter();
        command.env_clear().env("PATH", format!("{}:{path}", programs.display()));
        command.env("HOME", folder.path().join("home")).env("LANG", "C.UTF-8");
        command.env("PROGRAMS", programs).current_dir(folder.path().join("work"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn()?;
        let stdin = shell.stdin.take().expect("it is piped");
        let lines = BufReader::new(shell.stdout.take().expect("it is piped")).lines();
        let (sender, done) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut session = Self { shell, stdin, done, folder, steps: 0, is_over: false };
        session.run(include_str!("prelude.sh")).map_err(io::Error::other)?;
        Ok(session)
    }

    /// Runs commands to their end.
    ///
    /// # Errors
    ///
    /// They do not end in time.
    pub(crate) fn run(&mut self, commands: &str) -> Result<Ran, String> {
        let (script, printed, failed) =
            (self.file("sh")?, self.path("printed"), self.path("failed"));
        fs::write(&script, commands).map_err(|error| error.to_string())?;
        let [script, out, failures] = [&script, &printed, &failed].map(|path| path.display());
        let line = format!("failed={failures}; . {script} > {out} 2>&1 < /dev/null; echo done");
        if self.is_over {
            return Err("the shell still waits for the commands before".to_owned());
        }
        let asked = writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush());
        asked.map_err(|error| format!("the shell has ended: {error}"))?;
        let done = self.done.recv_timeout(STEP_TIME_MAX);
        let (printed, file) = (text(&printed), printed);
        self.is_over = done.is_err();
        done.map_err(|_| format!("not done after {STEP_TIME_MAX:?}; until then: {printed}"))?;
        let failed = text(&failed).lines().map(str::to_owned).collect();
        Ok(Ran { printed, file, failed })
    }

    /// Starts commands that run beside those that follow, and waits for their first line.
    pub(crate) fn start_beside(&mut self, commands: &str) -> Result<Beside, String> {
        let (script, printed) = (self.file("beside")?, self.path("beside-printed"));
        fs::write(&script, commands).map_err(|error| error.to_string())?;
        // In a process group of its own, and with `$!` of the document left as it is.
        let background = format!(
            "bash -c 'set -m; . {} > {} 2>&1 < /dev/null & echo $!'",
            script.display(),
            printed.display()
        );
        let group = self.run(&background)?.printed.trim().to_owned();
        let begin = Instant::now();
        while !text(&printed).contains('\n') && begin.elapsed() < READY_TIME {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Beside { printed, group })
    }

    /// Ends commands beside others as Ctrl-C does, and returns what they printed.
    pub(crate) fn end(&mut self, beside: &Beside) -> Result<String, String> {
        let group = &beside.group;
        self.run(&format!(
            "kill -INT -- -{group}\nwhile kill -0 -- -{group}; do sleep 0.02; done"
        ))?;
        Ok(text(&beside.printed))
    }

    /// Whether a step did not end: the shell still waits for it.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn file(&mut self, kind: &str) -> Result<PathBuf, String> {
        self.steps += 1;
        Ok(self.path(kind))
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.path().join(format!("{}-{kind}", self.steps))
    }
}

impl Drop for Session {
    /// The shell is process 1 of what it started: when it is killed, nothing of that lives on.
    fn drop(&mut self) {
        let shell = self.shell.id();
        let children = text(Path::new(&format!("/proc/{shell}/task/{shell}/children")));
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(child),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
        let _ = self.shell.wait();
    }
}

/// What stands in a file, if it is there.
pub(crate) fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
