use std::ffi::CString;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::unistd::{Gid, Uid};

use super::*;
use crate::records::tests::record;

/// Records of a user who is logged in, in a folder of their own.
fn sources(folder: &Path, login: &str, since: u32) -> Sources {
    let utmp = folder.join("utmp");
    let records = record(libc::USER_PROCESS, login, "pts/99", "lab01", since);
    fs::write(&utmp, records).unwrap();
    let missing = folder.join("missing");
    Sources { utmp, lastlog: missing.clone(), mail: missing.clone(), dev: missing }
}

fn ask(sources: &Sources, line: &str) -> String {
    sources.answer(&Query::parse(line.as_bytes()).unwrap())
}

fn user(home: &Path) -> User {
    User {
        name: "alice".into(),
        passwd: CString::default(),
        uid: Uid::effective(),
        gid: Gid::effective(),
        gecos: CString::new("& Liddell,Room 7,4711").unwrap(),
        dir: home.to_owned(),
        shell: "/bin/sh".into(),
    }
}

#[test]
fn a_user_is_described_with_the_fields_of_finger() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = sources(folder.path(), "alice", 1_700_000_000);
    sources.mail = folder.path().to_owned();
    fs::write(folder.path().join("alice"), "a letter").unwrap();
    fs::write(folder.path().join(".plan"), "to fall\n").unwrap();
    fs::set_permissions(folder.path().join(".plan"), fs::Permissions::from_mode(0o644)).unwrap();
    let sessions = records::sessions(&sources.utmp).unwrap();
    let text = sources.describe(&user(folder.path()), &sessions);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "Login: alice          \t\t\tName: Alice Liddell");
    assert!(lines[1].starts_with("Directory: /") && lines[1].ends_with("\tShell: /bin/sh"));
    assert_eq!(lines[2], "Office: Room 7, 4711");
    assert!(lines[3].starts_with("On since Tue Nov 14 2023 ("), "{text}");
    assert!(lines[3].ends_with(" on pts/99 from lab01"), "{text}");
    assert!(lines[4].starts_with("Mail last read ") || lines[4].starts_with("New mail"));
    assert!(text.ends_with("Plan:\nto fall\n"), "{text}");
    let text = sources.describe(&user(Path::new("/nowhere")), &[]);
    assert!(text.contains("\nNever logged in.\n") && text.ends_with("No Plan.\n"), "{text}");
}

#[test]
fn who_is_logged_in_is_listed_and_nobody_too() {
    let folder = tempfile::tempdir().unwrap();
    let full = sources(folder.path(), "root", 1_700_000_000);
    let text = ask(&full, "");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[1].starts_with("root      "), "{text}");
    assert!(lines[1].contains(" pts/99 ") && lines[1].ends_with(" (lab01)"), "{text}");
    assert!(ask(&full, "/W").contains("\nOn since Tue Nov 14 2023"));
    let nobody = Sources { utmp: folder.path().join("missing"), ..full };
    assert_eq!(ask(&nobody, ""), "No one logged on.\n");
    assert_eq!(ask(&nobody, "/W"), "No one logged on.\n");
    assert_eq!(ask(&nobody, "no-such-user"), "finger: no-such-user: no such user.\n");
}

#[test]
fn what_others_may_not_read_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let alice = user(folder.path());
    let plan = folder.path().join(".plan");
    let mode = |mode| fs::set_permissions(&plan, fs::Permissions::from_mode(mode)).unwrap();
    fs::write(&plan, "x".repeat(20_000)).unwrap();
    mode(0o644);
    assert_eq!(read_own(&alice, ".plan").unwrap().len() as u64, MAX_PLAN);
    mode(0o600);
    assert_eq!(read_own(&alice, ".plan"), None);
    mode(0o644);
    let other = User { uid: Uid::from_raw(alice.uid.as_raw() + 1), ..alice.clone() };
    assert_eq!(read_own(&other, ".plan"), None);
    symlink(&plan, folder.path().join(".project")).unwrap();
    assert_eq!(read_own(&alice, ".project"), None);
    // Nobody writes into this pipe, and nobody waits for it.
    fs::remove_file(&plan).unwrap();
    nix::unistd::mkfifo(&plan, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
    assert_eq!(read_own(&alice, ".plan"), None);
}

#[test]
fn idle_times_are_told_as_people_do() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    assert_eq!(long_idle(minutes(1)), "1 minute");
    assert_eq!(long_idle(minutes(62)), "1 hour 2 minutes");
    assert_eq!(long_idle(minutes(3000)), "2 days 2 hours");
    assert_eq!([5, 62, 3000].map(|n| short_idle(minutes(n))), ["5", "1:02", "2d"]);
}
