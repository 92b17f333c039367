//! The states of the processes, for the page.
//!
//! A trace says what happened and not what the processes were in between. But it is a schedule, and the lab's
//! program finds their states by going through it again ([`crate::replay`]). It is run beside, and writes the
//! trace with states into a pipe: nothing is left behind, whatever happens.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::lab_program;
use crate::cli::trace_file;
use crate::view::{Page, Trace, draw};

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
pub(super) fn draw_with_states(
    trace: &Path,
    program: Option<&Path>,
) -> anyhow::Result<Option<Page>> {
    let length = trace.metadata().map_or(0, |about| about.len());
    if length > TRACE_MAX || has_states(trace)? {
        return Ok(None);
    }
    let program =
        program.map_or_else(|| lab_program::of(trace), |program| Ok(program.to_owned()))?;
    let mut command = Command::new(program);
    // A file may be called like an option.
    command.args(["replay", "--states", "-", "--"]).arg(trace);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let stdout = child.stdout.take().context("there is no pipe")?;
    let (done, is_done) = mpsc::channel::<()>();
    let ends = thread::spawn(move || end(child, &is_done));
    let drawn = draw(BufReader::new(stdout));
    drop(done);
    let ended = ends.join().expect("it does not panic");
    ensure!(ended?, "it took longer than {} s", PATIENCE.as_secs());
    Ok(Some(drawn?))
}

/// Waits for the replay to end, but not for ever. Returns whether it was in time.
fn end(mut child: Child, is_done: &mpsc::Receiver<()>) -> anyhow::Result<bool> {
    // Nothing is ever sent: the other end is dropped once all was read.
    let is_late = is_done.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout);
    if is_late {
        child.kill().context("cannot end it")?;
    }
    let status = child.wait().context("cannot wait for it")?;
    match status.code() {
        _ if is_late => Ok(false),
        Some(0) => Ok(true),
        Some(1) => bail!(
            "the lab's program does something else than the trace says (`labs replay` says what)"
        ),
        _ => bail!("not all of it can be gone through again (`labs replay` says why)"),
    }
}

/// Whether somebody wrote states into it before.
fn has_states(trace: &Path) -> anyhow::Result<bool> {
    let mut trace = Trace::new(trace_file::open(trace)?)?;
    Ok(trace.next_entry()?.is_some_and(|entry| entry.state.is_some()))
}
