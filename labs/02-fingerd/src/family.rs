//! The processes that a child has started, and ending them all.
//!
//! A process group holds together what a child starts, but whoever calls `setsid` leaves it. Two
//! things find those as well. The process tree does, as long as each knows its parent. And one
//! whose parent has died becomes a child of this server, which is a *subreaper* (prctl(2)).

use std::fs;
use std::io;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid};

/// How many processes below one child are looked for: more than any `finger` starts.
const FAMILY_MAX: usize = 1_024;

/// Makes this process the parent of those below it whose own parents die.
///
/// # Errors
///
/// If the system refuses.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(true)?)
}

/// Ends a process, its group, and all below it, at once.
pub(crate) fn end(root: Pid) {
    let family = below(root);
    // It is no failure if nobody is left to kill, or the process leads no group.
    let _ = killpg(root, Signal::SIGKILL);
    for member in [root].into_iter().chain(family) {
        let _ = kill(member, Signal::SIGKILL);
    }
}

/// Ends those children of this process that it has not started itself, but those in one of the
/// `groups`: they still belong to somebody. `own` are those it has started.
pub(crate) fn end_orphans(own: impl Fn(Pid) -> bool, groups: impl Fn(Pid) -> bool) {
    for orphan in children(Pid::this()).into_iter().filter(|&child| !own(child)) {
        let is_alive =
            matches!(waitpid(orphan, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive));
        if is_alive && !getpgid(Some(orphan)).is_ok_and(&groups) {
            end(orphan);
            // It is buried when the system says that it has died.
        }
    }
}

/// All processes below this one.
fn below(root: Pid) -> Vec<Pid> {
    let mut found = children(root);
    let mut next = 0;
    while next < found.len() && found.len() < FAMILY_MAX {
        found.extend(children(found[next]));
        next += 1;
    }
    found
}

/// The children of a process, those of all its threads.
fn children(parent: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists: Option<Vec<String>> =
        threads.map(|thread| fs::read_to_string(thread.path().join("children")).ok()).collect();
    match lists {
        Some(lists) => lists
            .iter()
            .flat_map(|list| list.split_whitespace())
            .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
            .collect(),
        // A kernel without these lists, or the process has gone meanwhile.
        None => children_by_looking_at_all(parent),
    }
}

fn children_by_looking_at_all(parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.map(Pid::from_raw).filter(|&pid| parent_of(pid) == Some(parent)).collect()
}

/// The fourth field of `/proc/PID/stat`; the second is a name in brackets, which may hold anything.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(1)?.parse().ok().map(Pid::from_raw)
}

#[cfg(test)]
mod tests;
