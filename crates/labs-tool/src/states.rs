//! The states of the processes, for the page.
//!
//! A trace says what happened and not what the processes were in between. But it is a schedule, and the lab's
//! program finds their states by going through it again ([`labs::replay`]).

use std::io::BufRead;
use std::path::Path;

use anyhow::bail;

use crate::lab_program;
use labs::cli::trace_file;
use labs::said::say;
use labs::view::{Page, Trace, draw};

/// The longest trace whose states are looked for without being asked, in bytes: some ten thousand events. The
/// page of a longer one would be mostly states, and nobody waits for them.
const TRACE_MAX: u64 = 16 << 20;

/// The page of a trace with the state of its process at each event, as far as they can be found; none if it is too
/// long, or has them already.
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
    let read = |from: &mut dyn BufRead| draw(from);
    let (drawn, status) = lab_program::ask(&program, &["replay", "--states", "-"], trace, read)?;
    match status {
        Some(0) => Ok(Some(drawn?)),
        Some(1) => {
            bail!(
                "the lab's program does something else than the trace says (`labs replay` says what)"
            )
        }
        _ => drawn.ok().filter(|page| is_whole(page, trace)).map(said_in_part).map_or_else(
            || bail!("it cannot be gone through again (`labs replay` says why)"),
            |page| Ok(Some(page)),
        ),
    }
}

/// Whether all events are on the page: the lab's program writes those that it cannot follow as well, and none if
/// it fails.
fn is_whole(page: &Page, trace: &Path) -> bool {
    let whole = trace_file::open(trace).ok().and_then(|file| draw(file).ok());
    whole.is_some_and(|whole| whole.events() == page.events())
}

fn said_in_part(page: Page) -> Page {
    say(
        "labs: not all states are known, for not all can be gone through again (`labs replay` says why)",
    );
    page
}

/// Whether somebody wrote states into it before.
fn has_states(trace: &Path) -> anyhow::Result<bool> {
    let mut trace = Trace::new(trace_file::open(trace)?)?;
    Ok(trace.next_entry()?.is_some_and(|entry| entry.state.is_some()))
}
