//! The answer on a machine that has no `finger`: from the user database (passwd(5), or whatever the
//! system is configured to ask) and the login records, with the fields and words of BSD's.
//!
//! What users have put into their homes (`.plan`, `.project`) is opened with care, for the server
//! may be able to read more than the client should see: no link is followed, the file must belong
//! to that very user and be readable by everybody, a pipe is not waited for, and only its beginning
//! is shown.

use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::unistd::User;

use crate::query::{Login, Query};
use crate::records::{self, Session};

/// How much of a `.plan` is shown, in bytes.
const MAX_PLAN: u64 = 16 << 10;

/// A user who has been idle for less counts as not idle.
const IDLE: Duration = Duration::from_secs(60);

/// Half a year: times further away are shown with their year and without their hour.
const RECENT: i64 = 182 * 86_400;

/// The files and folders that the answer is made from.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) utmp: PathBuf,
    pub(crate) lastlog: PathBuf,
    /// The folder of mailboxes.
    pub(crate) mail: PathBuf,
    /// The folder of terminals.
    pub(crate) dev: PathBuf,
}

impl Sources {
    /// Where they are on every Linux.
    pub(crate) fn of_this_machine() -> Sources {
        Sources {
            utmp: "/var/run/utmp".into(),
            lastlog: "/var/log/lastlog".into(),
            mail: "/var/mail".into(),
            dev: "/dev".into(),
        }
    }

    /// The answer to a query.
    pub(crate) fn answer(&self, query: &Query) -> String {
        let result = match (&query.login, query.verbose) {
            (Some(login), _) => self.about(login),
            (None, false) => self.list(),
            (None, true) => self.everybody(),
        };
        // A client far away is not told more of our troubles.
        result.unwrap_or_else(|_| "fingerd: the login records cannot be read\n".to_owned())
    }

    /// One user, at length.
    fn about(&self, login: &Login) -> io::Result<String> {
        // A database that does not answer does not know the user either.
        let Some(user) = User::from_name(login.as_str()).ok().flatten() else {
            return Ok(format!("finger: {login}: no such user.\n"));
        };
        let sessions = records::sessions(&self.utmp)?;
        Ok(self.describe(&user, &sessions))
    }

    /// The users who are logged in, each at length.
    fn everybody(&self) -> io::Result<String> {
        let sessions = records::sessions(&self.utmp)?;
        let mut logins: Vec<_> = sessions.iter().map(|session| session.login.as_str()).collect();
        logins.sort_unstable();
        logins.dedup();
        let users = logins.into_iter().filter_map(|login| User::from_name(login).ok().flatten());
        let texts: Vec<_> = users.map(|user| self.describe(&user, &sessions)).collect();
        Ok(if texts.is_empty() { NOBODY.to_owned() } else { texts.join("\n") })
    }

    /// The users who are logged in, one a line.
    fn list(&self) -> io::Result<String> {
        let mut sessions = records::sessions(&self.utmp)?;
        if sessions.is_empty() {
            return Ok(NOBODY.to_owned());
        }
        sessions.sort_by(|a, b| (&a.login, &a.line).cmp(&(&b.login, &b.line)));
        let mut text =
            "Login     Name       Tty      Idle  Login Time   Office     Office Phone\n".to_owned();
        for session in sessions {
            let user = User::from_name(&session.login).ok().flatten();
            let about = user.as_ref().map(About::of).unwrap_or_default();
            let idle = self.idle(&session).map_or(String::new(), short_idle);
            let from =
                if session.host.is_empty() { about.office } else { format!("({})", session.host) };
            let line = format!(
                "{:<9} {:<10} {:<8} {idle:>4}  {:<12} {from:<10} {}",
                cut(&session.login, 9),
                cut(&about.name, 10),
                cut(&session.line, 8),
                short_time(session.since),
                about.phone
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        Ok(text)
    }

    fn describe(&self, user: &User, sessions: &[Session]) -> String {
        let about = About::of(user);
        let mut text = String::new();
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            writeln!(text, "{arguments}").expect("memory takes everything");
        };
        line(format_args!("Login: {:<15}\t\t\tName: {}", user.name, about.name));
        let (home, shell) = (user.dir.display().to_string(), user.shell.display());
        line(format_args!("Directory: {home:<25}\tShell: {shell}"));
        let office = [about.office, about.phone];
        let office: Vec<_> = office.into_iter().filter(|part| !part.is_empty()).collect();
        if !office.is_empty() {
            line(format_args!("Office: {}", office.join(", ")));
        }
        let own: Vec<_> = sessions.iter().filter(|session| session.login == user.name).collect();
        for session in &own {
            line(format_args!("On since {}", place_and_time(session)));
            if let Some(idle) = self.idle(session) {
                line(format_args!("   {} idle", long_idle(idle)));
            }
        }
        if own.is_empty() {
            match records::last(&self.lastlog, user.uid.as_raw()) {
                Some(last) => line(format_args!("Last login {}", place_and_time(&last))),
                None => line(format_args!("Never logged in.")),
            }
        }
        line(format_args!("{}", mail(&self.mail.join(&user.name))));
        if let Some(project) = read_own(user, ".project") {
            line(format_args!("Project:\n{}", project.trim_end()));
        }
        match read_own(user, ".plan") {
            Some(plan) => line(format_args!("Plan:\n{}", plan.trim_end())),
            None => line(format_args!("No Plan.")),
        }
        text
    }

    /// How long nothing was typed at a terminal.
    fn idle(&self, session: &Session) -> Option<Duration> {
        // The record must hold a name below the folder; nothing else is looked at.
        let is_plain = session.line.split('/').all(|part| !part.is_empty() && part != "..");
        let about = fs::metadata(self.dev.join(&session.line)).ok().filter(|_| is_plain)?;
        let idle = SystemTime::now().duration_since(about.accessed().ok()?).ok()?;
        (idle >= IDLE).then_some(idle)
    }
}

const NOBODY: &str = "No one logged on.\n";

/// The comment field of a user's entry: parts separated by commas, the name first.
#[derive(Debug, Default)]
struct About {
    name: String,
    office: String,
    phone: String,
}

impl About {
    fn of(user: &User) -> About {
        let gecos = user.gecos.to_string_lossy();
        let mut fields = gecos.split(',').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        // An ampersand stands for the login, capitalised.
        let mut capitalised = user.name.clone();
        if let Some(first) = capitalised.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        About { name: next().replace('&', &capitalised), office: next(), phone: next() }
    }
}

/// The state of a mailbox, by the times of its file, which mail programs keep.
fn mail(mailbox: &Path) -> String {
    match fs::metadata(mailbox) {
        Ok(about) if about.is_file() && about.len() > 0 => {
            let (read, received) = (long_time(about.atime()), long_time(about.mtime()));
            match about.mtime() > about.atime() {
                true => format!("New mail received {received}\n     Unread since {read}"),
                false => format!("Mail last read {read}"),
            }
        }
        _ => "No mail.".to_owned(),
    }
}

/// The beginning of a file in a user's home, if it may be shown.
fn read_own(user: &User, name: &str) -> Option<String> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let path = user.dir.join(name);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let about = file.metadata().ok()?;
    let may_be_shown =
        about.is_file() && about.uid() == user.uid.as_raw() && about.mode() & 0o004 != 0;
    if !may_be_shown {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_PLAN).read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn place_and_time(session: &Session) -> String {
    let from = match session.host.as_str() {
        "" => String::new(),
        host => format!(" from {host}"),
    };
    format!("{} on {}{from}", long_time(session.since), session.line)
}

fn long_time(seconds: i64) -> String {
    let pattern = if is_recent(seconds) { "%a %b %e %H:%M (%Z)" } else { "%a %b %e %Y (%Z)" };
    format(seconds, pattern)
}

fn short_time(seconds: i64) -> String {
    format(seconds, if is_recent(seconds) { "%b %e %H:%M" } else { "%b %e  %Y" })
}

fn is_recent(seconds: i64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    now.abs_diff(seconds) < RECENT.unsigned_abs()
}

fn format(seconds: i64, pattern: &str) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime(pattern).to_string(),
        Err(_) => "at an unknown time".to_owned(),
    }
}

fn long_idle(idle: Duration) -> String {
    let minutes = idle.as_secs() / 60;
    let count = |n: u64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => count(minutes, "minute"),
        (0, hours, minutes) => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
        (days, hours, _) => format!("{} {}", count(days, "day"), count(hours, "hour")),
    }
}

fn short_idle(idle: Duration) -> String {
    let minutes = idle.as_secs() / 60;
    match (minutes / 1440, minutes / 60) {
        (0, 0) => minutes.to_string(),
        (0, hours) => format!("{hours}:{:02}", minutes % 60),
        (days, _) => format!("{days}d"),
    }
}

/// The first characters of a text.
fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests;
