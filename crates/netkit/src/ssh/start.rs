//! Starting daemons over a session: each in a channel of its own, which ends when the daemon has
//! answered.
//!
//! Several are started before the first answer is read. The library keeps what arrives for one
//! channel while another is read, so reading the answers in turn costs no time: all programs start
//! at once.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Instant;

use ssh2::{Channel, ExtendedData};

use super::{Begin, CHANNELS_AT_ONCE, Ending, Remote, command, millis};
use crate::launch::job::{Job, LaunchError, MAX_STDIN, Program, Stage};
use crate::marker::{END_TIMEOUT, Marker, Output};

impl Remote {
    /// Starts a job, and waits until its daemon is ready; returns its process number there.
    ///
    /// # Errors
    ///
    /// What the daemon says is wrong; or that the program is not there, ended without a word, or
    /// was not ready in time.
    pub fn start(&mut self, job: &Job) -> Result<u32, LaunchError> {
        let mut outcome = None;
        self.start_all(std::slice::from_ref(job), &mut |_, result| outcome = Some(result));
        outcome.expect("every job is reported")
    }

    /// Starts several jobs, a few at once; reports each by its place in the list.
    pub(crate) fn start_all(
        &mut self,
        jobs: &[Job],
        report: &mut dyn FnMut(usize, Result<u32, LaunchError>),
    ) {
        let mut running = VecDeque::new();
        for (at, job) in jobs.iter().enumerate() {
            if running.len() == CHANNELS_AT_ONCE {
                self.collect_first(&mut running, report);
            }
            let begun = loop {
                match self.begin(job) {
                    // The server allows fewer at once than usual.
                    Err(Begin::NoRoom(_)) if !running.is_empty() => {
                        self.collect_first(&mut running, report);
                    }
                    begun => break begun,
                }
            };
            match begun {
                Ok(started) => running.push_back((at, started)),
                Err(Begin::NoRoom(error) | Begin::Failed(error)) => report(at, Err(error)),
            }
        }
        while !running.is_empty() {
            self.collect_first(&mut running, report);
        }
    }

    /// Starts the program of a job, and gives it its input.
    fn begin(&mut self, job: &Job) -> Result<Started, Begin> {
        let failed = |error| Begin::Failed(error);
        if job.stdin.len() > MAX_STDIN {
            let what = format!("its standard input is longer than {MAX_STDIN} bytes");
            return Err(failed(self.error(Stage::Start, what, "send it over the network instead")));
        }
        let path = self.path_of(job).map_err(failed)?;
        let command = command::of_job(&path, job)
            .map_err(|what| failed(self.error(Stage::Start, what, "write it in another way")))?;
        let timeout = self.options.start_timeout;
        let deadline = Instant::now() + timeout;
        let mut channel = self.open(&command, timeout)?;
        let merged = channel.handle_extended_data(ExtendedData::Merge);
        let written = channel.write_all(&job.stdin).and_then(|()| Ok(channel.send_eof()?));
        // A program that has ended takes no input; what it printed says why.
        let _ = merged.map_err(io::Error::from).and(written);
        Ok(Started { channel, deadline, path })
    }

    /// Where the program of a job is there.
    fn path_of(&mut self, job: &Job) -> Result<String, LaunchError> {
        match &job.program {
            Program::Here(path) if !self.options.push => match path.to_str() {
                Some(path) if path.starts_with('/') => Ok(path.to_owned()),
                None => {
                    let what =
                        format!("{} cannot be named over SSH: it is not UTF-8", path.display());
                    Err(self.error(Stage::Start, what, "give the program another path, or --push"))
                }
                Some(_) => {
                    let what = format!("`{}` is no absolute path", path.display());
                    Err(self.error(Stage::Start, what, "name the program by its whole path"))
                }
            },
            _ => {
                if self.pushed.is_none() {
                    let program = self.options.program.clone();
                    self.pushed = Some(self.push(&program)?);
                }
                Ok(self.pushed.clone().unwrap_or_default())
            }
        }
    }

    /// Waits for the answer of the job that was started first, and reports it.
    fn collect_first(
        &mut self,
        running: &mut VecDeque<(usize, Started)>,
        report: &mut dyn FnMut(usize, Result<u32, LaunchError>),
    ) {
        if let Some((at, started)) = running.pop_front() {
            let result = self.collect(started);
            report(at, result);
        }
    }

    /// Waits for the answer of a job, and until its command has ended.
    fn collect(&mut self, started: Started) -> Result<u32, LaunchError> {
        let Started { mut channel, mut deadline, path } = started;
        let mut printed = Output::default();
        let read = loop {
            let ready = printed.marker().is_some();
            if ready {
                deadline = deadline.min(Instant::now() + END_TIMEOUT);
            }
            match self.read_some(&mut channel, &mut printed, deadline) {
                Ok(true) if !printed.too_much() => {}
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let outcome = match (printed.marker(), read) {
            (Some(Marker::Ok(pid)), Ok(())) => Ok(pid),
            (Some(Marker::Ok(_)), Err(_)) => Err(self.error(
                Stage::Start,
                "the program said that it is ready but did not detach",
                "it must call netkit::daemon::detach",
            )),
            (Some(Marker::Error(text)), _) => Err(self.error(Stage::Start, text, "")),
            (None, Ok(())) if printed.too_much() => Err(self.error(
                Stage::Start,
                format!(
                    "it prints too much before the program is ready: {}",
                    printed.last_line().unwrap_or_default()
                ),
                "look at .bashrc and the like there",
            )),
            (None, Ok(())) => {
                let ending = self.ending(&mut channel);
                Err(ending
                    .map_or_else(|error| error, |ending| self.no_marker(&path, &printed, &ending)))
            }
            (None, Err(error)) => Err(self.no_answer(&printed, &error)),
        };
        self.let_go(channel);
        outcome
    }

    /// Reads what a command has printed, waiting for something if need be; false at the end.
    fn read_some(
        &mut self,
        channel: &mut Channel,
        printed: &mut Output,
        deadline: Instant,
    ) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.session.set_timeout(millis(left));
        let mut bytes = [0; 4096];
        let n = channel.read(&mut bytes)?;
        printed.push(&bytes[..n]);
        Ok(n > 0)
    }

    /// What to say of a command that ended without the marker.
    fn no_marker(&mut self, path: &str, printed: &Output, ending: &Ending) -> LaunchError {
        let last = printed.last_line().map(|line| format!(": {line}")).unwrap_or_default();
        let pushed = self.pushed.as_deref() == Some(path);
        match ending {
            (Some(127), _) if !pushed => {
                let what = format!("no program at {path} there{last}");
                self.error(Stage::Start, what, "give --push, or install it there")
            }
            (Some(126), _) if pushed => {
                let what = format!("{path} may not be run there{last}");
                self.error(
                    Stage::Start,
                    what,
                    "its home may be mounted noexec, or the machine be of another kind; \
                     install the program elsewhere there and start it without --push",
                )
            }
            (Some(126), _) => {
                let what = format!("{path} may not be run there{last}");
                self.error(
                    Stage::Start,
                    what,
                    "check its rights and that it is for this kind of machine",
                )
            }
            (_, Some(signal)) => {
                let what =
                    format!("the program was ended by SIG{signal} before it was ready{last}");
                self.error(Stage::Start, what, "")
            }
            (status, None) => {
                let status =
                    status.map_or("no status".to_owned(), |status| format!("status {status}"));
                let what = format!("the program ended with {status} before it was ready{last}");
                self.error(Stage::Start, what, "")
            }
        }
    }

    /// What to say when reading what a command prints fails.
    fn no_answer(&mut self, printed: &Output, error: &io::Error) -> LaunchError {
        let last = printed.last_line().map(|line| format!(": {line}")).unwrap_or_default();
        if error.kind() == io::ErrorKind::TimedOut {
            let seconds = self.options.start_timeout.as_secs_f32();
            let what = format!("the program was not ready within {seconds} s{last}");
            return self.error(Stage::Start, what, "look at its log there, and at .bashrc");
        }
        let error = self.error(Stage::Start, format!("lost the connection: {error}{last}"), "");
        self.broken.insert(error).clone()
    }
}

/// A command that runs.
struct Started {
    channel: Channel,
    deadline: Instant,
    path: String,
}
