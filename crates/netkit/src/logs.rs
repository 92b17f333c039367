//! The folder of a run, and the log of each of its processes.
//!
//! A daemon has no terminal to complain on; what it has to say is in its log. All logs of a run on
//! one machine are in one folder:
//!
//! ```text
//! /tmp/labs-student/20261122-071500-3f9a/token-ring-2-lab03-4711.log
//! /tmp/labs-student/last -> 20261122-071500-3f9a
//! ```
//!
//! `/tmp` belongs to everybody, and the names above can be guessed: someone could have put a folder
//! of theirs there, or a link to a file of ours that we would then overwrite. So [`RunFolder`]
//! opens each folder on the way by itself, without following a link, and looks at what it has
//! opened (not at the name again, which may mean something else by then): it must belong to us and
//! be closed to others. Below such a folder nobody else can put anything. Files are created, never
//! reopened.
//!
//! A line of a log carries the time (UTC, in microseconds), the level, the rank of the process and,
//! while tracing, its Lamport time, by which the logs of several machines can be merged where
//! their clocks disagree:
//!
//! ```text
//! 2026-11-22T07:15:00.123456Z INFO  p3 @31 entered the critical section
//! ```
//!
//! Control characters in a message are escaped: what a stranger sent must neither forge a line nor
//! reach the terminal of a person who reads the log.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use env_logger::{Builder, Target};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{User, geteuid, symlinkat, unlinkat};
use thiserror::Error;

use crate::run_id::RunId;
use crate::text::escape_into;

#[cfg(test)]
mod tests;

/// Where the folders of all users are.
const BASE: &str = "/tmp";

/// The folder of one run on this machine: ours, and closed to everybody else.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    folder: OwnedFd,
}

impl RunFolder {
    /// Opens `/tmp/PREFIX-USER/RUN`, creating what is missing, and points
    /// `/tmp/PREFIX-USER/last` to it. Several processes of a run may do so at once.
    ///
    /// # Errors
    ///
    /// If a folder on the way is a link, belongs to someone else or is open to others, or the
    /// system refuses.
    pub fn create(prefix: &str, run: &RunId) -> Result<RunFolder, LogError> {
        RunFolder::create_in(Path::new(BASE), prefix, run)
    }

    /// As [`RunFolder::create`], below another folder than `/tmp`. That folder itself is trusted.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::create`].
    ///
    /// # Panics
    ///
    /// If the prefix is empty or has a slash in it.
    pub fn create_in(base: &Path, prefix: &str, run: &RunId) -> Result<RunFolder, LogError> {
        assert!(!prefix.is_empty(), "a prefix has letters");
        assert!(!prefix.contains('/'), "a prefix names one folder");
        let base_folder = open_base(base)?;
        let parent_path = base.join(format!("{prefix}-{}", user_name()));
        let parent = own_folder(&base_folder, &parent_path)?;
        let path = parent_path.join(run.as_str());
        let folder = own_folder(&parent, &path)?;
        point_last_to(&parent, &parent_path, run)?;
        Ok(RunFolder { path, folder })
    }

    /// Opens `/tmp/PREFIX-USER/RUN`, which is there.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::create`], and if there is no such folder.
    pub fn open(prefix: &str, run: &RunId) -> Result<RunFolder, LogError> {
        let parent_path = user_folder(prefix);
        let parent = existing_folder(&open_base(Path::new(BASE))?, &parent_path)?;
        let path = parent_path.join(run.as_str());
        let folder = existing_folder(&parent, &path)?;
        Ok(RunFolder { path, folder })
    }

    /// The names of the files in the folder and their lengths in bytes, in the order of the names.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn files(&self) -> Result<Vec<(String, u64)>, LogError> {
        let failed = |error: &io::Error| LogError::of_io("read", &self.path, error);
        // By the descriptor: the name may mean another folder by now.
        let listed = format!("/proc/self/fd/{}", self.folder.as_raw_fd());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(listed).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let Ok(about) = entry.metadata() else { continue };
            if let (true, Ok(name)) = (about.is_file(), entry.file_name().into_string()) {
                files.push((name, about.len()));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Opens a file of the folder to read it.
    ///
    /// # Errors
    ///
    /// If there is none of that name, the name is not that of a file in the folder itself, or the
    /// system refuses.
    pub fn read(&self, name: &str) -> Result<File, LogError> {
        self.open_at(name, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, "open")
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a file in the folder, to append to, for the user alone (mode 0600).
    ///
    /// # Errors
    ///
    /// If there is something of that name already, the name is not that of a file in the folder
    /// itself (empty, `.`, `..`, or with a slash), or the system refuses.
    pub fn file(&self, name: &str) -> Result<File, LogError> {
        let flags = OFlag::O_CREAT
            | OFlag::O_EXCL
            | OFlag::O_NOFOLLOW
            | OFlag::O_WRONLY
            | OFlag::O_APPEND
            | OFlag::O_CLOEXEC;
        self.open_at(name, flags, "create")
    }

    fn open_at(&self, name: &str, flags: OFlag, what: &'static str) -> Result<File, LogError> {
        let path = self.path.join(name);
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(LogError::Name { name: name.escape_debug().collect() });
        }
        let file = openat(&self.folder, name, flags, Mode::from_bits_truncate(0o600));
        file.map(File::from).map_err(|errno| LogError::system(what, &path, errno))
    }
}

/// Where the folders of this user's runs are on this machine: `/tmp/PREFIX-USER`.
pub fn user_folder(prefix: &str) -> PathBuf {
    Path::new(BASE).join(format!("{prefix}-{}", user_name()))
}

/// The runs that left a folder on this machine, the newest first. Folders that cannot be read are
/// left out.
pub fn runs(prefix: &str) -> Vec<RunId> {
    let entries = std::fs::read_dir(user_folder(prefix)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut runs: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
    runs.sort_unstable_by(|one, other| other.cmp(one));
    runs
}

/// How long ago something was put into the folder of a run on this machine, or taken out of it; none if there is no
/// such folder, or it is not ours.
pub fn age(prefix: &str, run: &RunId) -> Option<Duration> {
    let folder = RunFolder::open(prefix, run).ok()?;
    let changed = File::from(folder.folder).metadata().and_then(|about| about.modified()).ok()?;
    Some(now().duration_since(changed).unwrap_or_default())
}

/// Removes the folder of a run from this machine, with all that is in it.
///
/// # Errors
///
/// As [`RunFolder::open`].
pub fn remove(prefix: &str, run: &RunId) -> Result<(), LogError> {
    let folder = RunFolder::open(prefix, run)?;
    // Nobody else can put another folder there: that above it is ours, and closed to others.
    std::fs::remove_dir_all(&folder.path)
        .map_err(|error| LogError::of_io("remove", &folder.path, &error))
}

/// The run that `last` points to: the newest that was started here, or came here.
pub fn last(prefix: &str) -> Option<RunId> {
    let target = std::fs::read_link(user_folder(prefix).join("last")).ok()?;
    target.to_str()?.parse().ok()
}

/// Makes sure that logs can be written on this machine, and returns how many bytes are free for
/// them. A small file is written, and removed.
///
/// # Errors
///
/// As [`RunFolder::create`].
pub fn try_out(prefix: &str) -> Result<u64, LogError> {
    let path = user_folder(prefix);
    let folder = RunFolder { folder: own_folder(&open_base(Path::new(BASE))?, &path)?, path };
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|_| LogError::system("name", &folder.path, Errno::EIO))?;
    let name = format!(".try-{:08x}", u32::from_ne_bytes(random));
    let mut file = folder.file(&name)?;
    let written = file.write_all(&[b'x'; TRIED]);
    unlinkat(&folder.folder, name.as_str(), nix::unistd::UnlinkatFlags::NoRemoveDir)
        .map_err(|errno| LogError::system("remove", &folder.path.join(&name), errno))?;
    written.map_err(|error| LogError::of_io("write", &folder.path.join(&name), &error))?;
    let space = nix::sys::statvfs::fstatvfs(&folder.folder)
        .map_err(|errno| LogError::system("look at", &folder.path, errno))?;
    Ok(space.blocks_available() * space.fragment_size())
}

/// How much is written to try it out, in bytes: more than a file system keeps beside its blocks.
const TRIED: usize = 64 << 10;

/// The name of a process's log: `<lab>-<rank>-<host>-<pid>.log`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogName<'a> {
    /// What runs, such as the name of a lab.
    pub lab: &'a str,
    /// Which process of the run.
    pub rank: u32,
    /// The name of the machine; two machines may share a folder.
    pub host: &'a str,
    /// The process on that machine; a rank may be started again.
    pub pid: u32,
}

impl fmt::Display for LogName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogName { lab, rank, host, pid } = self;
        write!(f, "{}-{rank}-{}-{pid}.log", FilePart(lab), FilePart(host))
    }
}

/// A text as part of a file's name: what is not a letter, a digit, `.`, `_` or `-` becomes `_`.
struct FilePart<'a>(&'a str);

impl fmt::Display for FilePart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        self.0.chars().try_for_each(|c| fmt::Write::write_char(f, if plain(c) { c } else { '_' }))
    }
}

/// Sends what this process logs into the file, from now on and for good.
///
/// `level` is in the language of `RUST_LOG`: `info`, or `warn,netkit=debug`. Wrong parts of it are
/// skipped.
///
/// # Errors
///
/// If the process has a logger already.
pub fn init(file: File, rank: u32, level: &str) -> Result<(), LogError> {
    Builder::new()
        .parse_filters(level)
        .target(Target::Pipe(Box::new(file)))
        .format(move |out, record| {
            let time = humantime::format_rfc3339_micros(now());
            let lamport = LAMPORT.load(Ordering::Relaxed);
            write_line(out, &time, rank, lamport, record)
        })
        .try_init()
        .map_err(|_| LogError::Twice)
}

/// The time, not before 1970: what a clock that was never set says cannot be written as a date.
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}

/// Sets the Lamport time that every later line shows, as `@31`; 0 shows none.
pub fn set_lamport(time: u64) {
    LAMPORT.store(time, Ordering::Relaxed);
}

/// One number for the whole process, as the logger is. It orders nothing: it is only shown.
static LAMPORT: AtomicU64 = AtomicU64::new(0);

/// Writes one line of the log.
fn write_line(
    out: &mut dyn Write,
    time: &dyn fmt::Display,
    rank: u32,
    lamport: u64,
    record: &log::Record<'_>,
) -> io::Result<()> {
    let mut line = format!("{time} {:<5} p{rank} ", record.level());
    if lamport != 0 {
        line.push_str(&format!("@{lamport} "));
    }
    escape_into(&mut line, record.args().to_string().chars());
    line.push('\n');
    out.write_all(line.as_bytes())
}

/// Opens the folder that everybody shares.
fn open_base(path: &Path) -> Result<OwnedFd, LogError> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
    open(path, flags, Mode::empty()).map_err(|errno| LogError::system("open", path, errno))
}

/// Opens a folder below `parent`, creating it if it is missing, and makes sure that it is ours.
fn own_folder(parent: &OwnedFd, path: &Path) -> Result<OwnedFd, LogError> {
    let name = path.file_name().unwrap_or_default();
    match mkdirat(parent.as_fd(), name, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(LogError::system("create", path, errno)),
    }
    existing_folder(parent, path)
}

/// Opens a folder below `parent`, and makes sure that it is ours.
fn existing_folder(parent: &OwnedFd, path: &Path) -> Result<OwnedFd, LogError> {
    let name = path.file_name().unwrap_or_default();
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
    let folder = match openat(parent.as_fd(), name, flags, Mode::empty()) {
        Ok(folder) => folder,
        // ENOTDIR is also what Linux says about a link when it may not follow it.
        Err(Errno::ELOOP | Errno::ENOTDIR) => {
            return Err(LogError::NotAFolder { path: path.to_owned() });
        }
        Err(errno) => return Err(LogError::system("open", path, errno)),
    };
    let about = fstat(&folder).map_err(|errno| LogError::system("look at", path, errno))?;
    if about.st_uid != geteuid().as_raw() {
        return Err(LogError::Foreign { path: path.to_owned(), owner: about.st_uid });
    }
    if about.st_mode & 0o077 != 0 {
        return Err(LogError::Open { path: path.to_owned(), mode: about.st_mode & 0o777 });
    }
    Ok(folder)
}

/// Points the link `last` to the run. A link cannot be changed, so a new one takes its place.
fn point_last_to(parent: &OwnedFd, path: &Path, run: &RunId) -> Result<(), LogError> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|_| LogError::system("name", path, Errno::EIO))?;
    let new = format!(".last-{:08x}", u32::from_ne_bytes(random));
    let last = path.join("last");
    let failed = |errno| LogError::system("set", &last, errno);
    symlinkat(run.as_str(), parent, new.as_str()).map_err(failed)?;
    renameat(parent, new.as_str(), parent, "last").map_err(|errno| {
        // If this fails too, the first error is the one that matters.
        let _ = unlinkat(parent, new.as_str(), nix::unistd::UnlinkatFlags::NoRemoveDir);
        failed(errno)
    })
}

/// The name of the user of this process, or its number if it has no name or one that no folder
/// should bear.
fn user_name() -> String {
    let uid = geteuid();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.filter(|name| !name.is_empty() && name.chars().all(plain)).unwrap_or(uid.to_string())
}

/// Why there is no folder or no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// Where a folder should be is a link or a file.
    #[error(
        "{} is a link or a file, not a folder of ours; remove it, or ask its owner to",
        path.display()
    )]
    NotAFolder {
        /// What is in the way.
        path: PathBuf,
    },
    /// The folder belongs to someone else.
    #[error("{} belongs to user {owner}, not to us; ask them to remove it", path.display())]
    Foreign {
        /// The folder of another user.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// Others may read or write in the folder.
    #[error(
        "{} is open to others (mode {mode:03o}); look at what is in it, then chmod 700 it",
        path.display()
    )]
    Open {
        /// The folder that is open to others.
        path: PathBuf,
        /// Its permissions, as `chmod` takes them.
        mode: u32,
    },
    /// A text that cannot be the name of a file in the folder.
    #[error("`{name}` cannot be the name of a file in the folder of a run")]
    Name {
        /// The text that was given as a name.
        name: String,
    },
    /// The system refuses.
    #[error("cannot {what} {}: {}", path.display(), errno.desc())]
    System {
        /// What was to be done.
        what: &'static str,
        /// The file or folder to do it with.
        path: PathBuf,
        /// The error of the system.
        errno: Errno,
    },
    /// The process logs somewhere already.
    #[error("this process has a logger already")]
    Twice,
}

impl LogError {
    fn of_io(what: &'static str, path: &Path, error: &io::Error) -> LogError {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        LogError::system(what, path, errno)
    }

    fn system(what: &'static str, path: &Path, errno: Errno) -> LogError {
        LogError::System { what, path: path.to_owned(), errno }
    }
}
