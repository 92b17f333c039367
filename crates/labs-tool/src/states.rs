//! The states of the processes, for the page.
//!
//! A trace says what happened and not what the processes were in between. But it is a schedule, and the lab's
//! program finds their states by going through it again ([`labs::replay`]). It is run beside, and writes the
//! trace with states into a socket: nothing is left behind, whatever happens.

use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::lab_program;
use labs::cli::live::until::Until;
use labs::cli::progress::now;
use labs::cli::trace_file;
use labs::view::{Page, Trace, draw};

/// The longest trace whose states are looked for without being asked, in bytes: some ten thousand events. The
/// page of a longer one would be mostly states, and nobody waits for them.
const TRACE_MAX: u64 = 16 << 20;

/// How long it may take. A run that is gone through again takes less than it did, but a trace may lie.
const PATIENCE: Duration = Duration::from_secs(20);

/// The page of a trace with the state of its process at each event; none if it is too long, or has them
/// already.
///
/// # Errors
///
/// If its states cannot be found. It can be drawn without.
pub(crate) fn draw_with_states(
    trace: &Path,
    program: Option<&Path>,
) -> anyhow::Result<Option<Page>> {
    let length = trace.metadata().map_or(0, |about| about.len());
    if length > TRACE_MAX || has_states(trace)? {
        return Ok(None);
    }
    let program =
        program.map_or_else(|| lab_program::of(trace), |program| Ok(program.to_owned()))?;
    // A socket rather than a pipe, for it can be read with a deadline.
    let (ours, theirs) = UnixStream::pair().context("cannot make a pipe")?;
    let mut replay = Command::new(&program)
        .args(["replay", "--states", "-", "--"]) // A file may be called like an option.
        .arg(trace)
        .stdin(Stdio::null())
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let deadline = now() + PATIENCE;
    let set_timeout = UnixStream::set_read_timeout;
    let drawn = draw(BufReader::new(Until { stream: &ours, set_timeout, deadline }));
    let is_late = now() >= deadline;
    if drawn.is_err() {
        // It has ended already, or nobody waits for what it does.
        let _ = replay.kill();
    }
    let status = replay.wait().context("cannot wait for it")?;
    match status.code() {
        _ if is_late => bail!("they were not found within {} s", PATIENCE.as_secs()),
        Some(0) => Ok(Some(drawn?)),
        Some(1) => {
            bail!(
                "the lab's program does something else than the trace says (`labs replay` says what)"
            )
        }
        _ => bail!("not all of it can be gone through again (`labs replay` says why)"),
    }
}

/// Whether somebody wrote states into it before.
fn has_states(trace: &Path) -> anyhow::Result<bool> {
    let mut trace = Trace::new(trace_file::open(trace)?)?;
    Ok(trace.next_entry()?.is_some_and(|entry| entry.state.is_some()))
}
