//! The login records of the system: who is logged in (`utmp`), and when each user last was
//! (`lastlog`).
//!
//! Both are files of fixed-size records as C wrote them. The layout is that of the C library
//! (utmp(5)); where the fields are is asked of the compiler, so that it is right on every machine.
//! Nothing is trusted: a file that is cut in the middle of a record ends there, names end at the
//! first NUL or at the end of their field, and a file may be missing, as on machines that no longer
//! keep one.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::mem::{offset_of, size_of};
use std::os::unix::fs::FileExt;
use std::path::Path;

use libc::utmpx;

/// Someone is logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Session {
    pub(crate) login: String,
    /// The terminal, below /dev.
    pub(crate) line: String,
    /// The host that the user came from; empty if it is this one.
    pub(crate) host: String,
    /// The time of the login, in seconds since 1970.
    pub(crate) since: i64,
}

/// How much of `utmp` is read: some 10,000 sessions.
const MAX_FILE: u64 = 4 << 20;

const RECORD: usize = size_of::<utmpx>();
const LINE: usize = 32;
const USER: usize = 32;
const HOST: usize = 256;

/// A record of `lastlog`: a time of 4 bytes, a terminal, a host.
const LAST_RECORD: usize = 4 + LINE + HOST;

/// The users who are logged in.
///
/// # Errors
///
/// If the file cannot be read; one that is missing has nobody in it.
pub(crate) fn sessions(utmp: &Path) -> io::Result<Vec<Session>> {
    let file = match File::open(utmp) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes.chunks_exact(RECORD).filter_map(session).collect())
}

/// The session that a record tells of, if it tells of one.
fn session(record: &[u8]) -> Option<Session> {
    let kind = i16::from_ne_bytes(record[offset_of!(utmpx, ut_type)..][..2].try_into().ok()?);
    let login = text(&record[offset_of!(utmpx, ut_user)..][..USER]);
    if kind != libc::USER_PROCESS || login.is_empty() {
        return None;
    }
    let time = &record[offset_of!(utmpx, ut_tv)..];
    // Where 32-bit programs may read the file too, the time has 32 bits; they last until 2106.
    let since = match RECORD {
        384 => i64::from(u32::from_ne_bytes(time[..4].try_into().ok()?)),
        _ => i64::from_ne_bytes(time[..8].try_into().ok()?),
    };
    let line = text(&record[offset_of!(utmpx, ut_line)..][..LINE]);
    let host = text(&record[offset_of!(utmpx, ut_host)..][..HOST]);
    Some(Session { login, line, host, since })
}

/// When a user last logged in; `None` if never, or if nobody keeps such records.
pub(crate) fn last(lastlog: &Path, uid: u32) -> Option<Session> {
    let file = File::open(lastlog).ok()?;
    let mut record = [0; LAST_RECORD];
    file.read_exact_at(&mut record, u64::from(uid) * LAST_RECORD as u64).ok()?;
    let since = i64::from(u32::from_ne_bytes(record[..4].try_into().ok()?));
    let (line, host) = (text(&record[4..4 + LINE]), text(&record[4 + LINE..]));
    (since != 0).then_some(Session { login: String::new(), line, host, since })
}

/// A field of text: up to the first NUL, if there is one.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record as the C library writes it.
    pub(crate) fn record(kind: i16, login: &str, line: &str, host: &str, since: u32) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(offset_of!(utmpx, ut_type), &kind.to_ne_bytes());
        put(offset_of!(utmpx, ut_user), login.as_bytes());
        put(offset_of!(utmpx, ut_line), line.as_bytes());
        put(offset_of!(utmpx, ut_host), host.as_bytes());
        // On machines with 64 bits of time this is its lower half, if they are little-endian.
        put(offset_of!(utmpx, ut_tv), &since.to_ne_bytes());
        record
    }

    #[test]
    fn sessions_are_read_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let full = "u".repeat(USER);
        let mut bytes = [
            record(libc::USER_PROCESS, "alice", "pts/0", "lab01", 1_700_000_000),
            record(libc::BOOT_TIME, "reboot", "~", "", 1),
            record(libc::DEAD_PROCESS, "gone", "pts/1", "", 1),
            record(libc::USER_PROCESS, "", "pts/2", "", 1),
            record(libc::USER_PROCESS, &full, "pts/3", "", 5),
        ]
        .concat();
        // Cut in the middle.
        bytes.extend_from_slice(&record(libc::USER_PROCESS, "half", "pts/9", "", 1)[..200]);
        std::fs::write(file.path(), bytes).unwrap();
        let found = sessions(file.path()).unwrap();
        let alice = Session {
            login: "alice".into(),
            line: "pts/0".into(),
            host: "lab01".into(),
            since: 1_700_000_000,
        };
        assert_eq!(found[0], alice);
        assert_eq!((found.len(), &found[1].login), (2, &full));
        assert_eq!(sessions(Path::new("/nowhere/utmp")).unwrap(), []);
    }

    #[test]
    fn the_last_login_is_found_by_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = vec![0; 3 * LAST_RECORD + 10];
        bytes[2 * LAST_RECORD..][..4].copy_from_slice(&7_u32.to_ne_bytes());
        bytes[2 * LAST_RECORD + 4..][..5].copy_from_slice(b"pts/4");
        std::fs::write(file.path(), bytes).unwrap();
        let found = last(file.path(), 2).unwrap();
        assert_eq!((found.since, found.line.as_str()), (7, "pts/4"));
        // Never; cut in the middle; beyond the end; far beyond; no file.
        for uid in [1, 3, 4, u32::MAX] {
            assert_eq!(last(file.path(), uid), None);
        }
        assert_eq!(last(Path::new("/nowhere/lastlog"), 2), None);
    }
}
