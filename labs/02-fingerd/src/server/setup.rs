//! From the command line to a server that listens: what needs root's rights, or a terminal to
//! complain to, comes first.
//!
//! 1. Find the program that answers, and the user to become.
//! 2. Open the log, claim the pid file, bind the port: with the rights that the server was started
//!    with, and in the foreground, where what fails can be told.
//! 3. With `--daemon`, go to the background, keeping these three files.
//! 4. Start the keeper, as the other user, and become that user.
//! 5. Only now create what belongs to one process alone: the event loop, signals, threads.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use netkit::daemon;
use netkit::sockets;
use nix::unistd::User;

use super::{BACKLOG, NO_KEEPER, Options, Server};
use crate::family;
use crate::finger;
use crate::keeper::Keeper;
use crate::log_file::Log;
use crate::pid_file::PidFile;
use crate::privileges::{drop_to, user_to_become};

/// Listens, says so, and serves until SIGINT or SIGTERM. With `--daemon` it says so and ends, and
/// the server goes on.
///
/// # Errors
///
/// If it cannot listen or open its files, cannot become the user it should, or its event loop
/// fails.
pub fn serve(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    daemon::keep_files_from_children()?;
    let program = program(&options)?;
    let user = user_to_become(options.user.as_deref())?;
    let log = Log::open(&options.log_file)?;
    let owner = user.as_ref().map(|user| user.uid.as_raw());
    let pid_file = PidFile::claim(&options.pid_file, owner, log.file())?;
    let listener = sockets::listen_tcp(&options.bind, options.port, BACKLOG)?;
    let ready = format!("listening on tcp {}", listener.local_addr()?);

    let start = Start { program, log, pid_file, listener, ready: ready.clone() };
    if !options.daemon {
        let (mut server, _pid_file) = start.server(&options, user.as_ref())?;
        writeln!(out, "{ready}").and_then(|()| out.flush()).context("cannot say so")?;
        return server.run();
    }
    let keep = [start.log.file().as_fd(), start.pid_file.file().as_fd(), start.listener.as_fd()];
    let told = daemon::detach_telling(&keep, |outcome| tell(outcome, &ready, out))?;
    match start.server(&options, user.as_ref()) {
        Ok((mut server, _pid_file)) => {
            told.ok();
            server.run()
        }
        Err(error) => told.fail(&format!("{error:#}")),
    }
}

/// The files and the port that are open, and not yet in use.
struct Start {
    program: Option<PathBuf>,
    log: Log,
    pid_file: PidFile,
    listener: TcpListener,
    ready: String,
}

impl Start {
    /// The server, and the file that is its for as long as it lives.
    fn server(
        mut self,
        options: &Options,
        user: Option<&User>,
    ) -> anyhow::Result<(Server, PidFile)> {
        self.pid_file.write()?;
        // While there are rights to become that user. Without it the server does all but its best.
        let keeper = if self.program.is_some() { self.keeper(user) } else { None };
        drop_to(user)?;
        family::adopt_orphans().context("cannot adopt what children leave")?;
        let answers = match &self.program {
            Some(program) => format!("answers are those of {}", program.display()),
            None => "answers are built in, from the user database and the login records".to_owned(),
        };
        self.log.line(&format!("process {}, {}; {answers}", std::process::id(), self.ready));
        let listener = mio::net::TcpListener::from_std(self.listener);
        let server = Server::new(listener, self.program, keeper, self.log, options)
            .context("cannot create an event loop")?;
        Ok((server, self.pid_file))
    }

    fn keeper(&mut self, user: Option<&User>) -> Option<Keeper> {
        let started = Keeper::start(user);
        let failed = |error: &std::io::Error| {
            let why = sockets::reason(error);
            self.log.line(&format!("a keeper cannot be started ({why}): {NO_KEEPER}"));
        };
        started.inspect_err(failed).ok()
    }
}

/// The program that answers, or `None` if the server answers by itself.
fn program(options: &Options) -> anyhow::Result<Option<PathBuf>> {
    let named = match &options.finger {
        _ if options.built_in => return Ok(None),
        None => return Ok(finger::find()),
        Some(program) => std::path::absolute(program).context("there is no current folder")?,
    };
    ensure!(
        is_executable(&named),
        "--finger {}: there is no program; install finger, or use --built-in",
        named.display()
    );
    Ok(Some(named))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// In the process that was started, when the daemon is ready or is not.
fn tell(outcome: Result<u32, String>, ready: &str, out: &mut impl Write) -> i32 {
    // If nobody can read it, there is nobody to fail for; the exit status says it too.
    match outcome {
        Ok(pid) => {
            let _ = writeln!(out, "{ready}, process {pid}");
            0
        }
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "fingerd: {why}");
            2
        }
    }
}
