//! No SSH: this netkit was built without its feature `ssh`, and reaches no machine but this one.
//!
//! Everything that [`launch`](crate::launch) and others name is here with the same signatures. A
//! session cannot be had, so that there is none on which anything could be done: the compiler knows
//! it ([`Infallible`]).

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use crate::hosts::Host;
use crate::launch::job::{Job, LaunchError, LaunchOptions, Stage};

pub use hash::program_hash;
pub use output::{MAX_RUN_OUTPUT, Output};

mod hash;
mod output;

/// A session on another machine: there are none.
#[derive(Debug)]
pub struct Remote(Infallible);

/// A machine that can be reached: there are none.
#[derive(Clone, Debug)]
pub(crate) struct Target(Infallible);

/// A program to copy: nobody copies it.
#[derive(Clone, Debug)]
pub(crate) struct Copy;

/// The address of a machine's SSH server.
///
/// # Errors
///
/// Always: this program was built without SSH.
pub fn resolve(host: &Host, _: &LaunchOptions) -> Result<SocketAddr, LaunchError> {
    Err(absent(host))
}

fn absent(host: &Host) -> LaunchError {
    let label = Host { slots: 1, ..host.clone() }.to_string();
    let what = "this program was built without SSH, and starts processes on this machine only";
    let hint = "build it without --no-default-features";
    LaunchError::new(&label, Stage::Connect, what, hint)
}

impl Target {
    pub(crate) fn resolve(host: &Host, _: &LaunchOptions) -> Result<Target, LaunchError> {
        Err(absent(host))
    }

    pub(crate) fn first_address(&self) -> SocketAddr {
        match self.0 {}
    }
}

impl Remote {
    /// Connects to a machine and logs in.
    ///
    /// # Errors
    ///
    /// Always: this program was built without SSH.
    pub fn connect(host: &Host, _: &LaunchOptions) -> Result<Remote, LaunchError> {
        Err(absent(host))
    }

    pub(crate) fn connect_to(target: Target, _: &LaunchOptions) -> Result<Remote, LaunchError> {
        match target.0 {}
    }

    /// The machine, as messages name it.
    pub fn host(&self) -> &str {
        match self.0 {}
    }

    /// The address of this machine's end of the connection.
    pub fn local_address(&self) -> IpAddr {
        match self.0 {}
    }

    /// Starts a daemon there; returns its process number.
    ///
    /// # Errors
    ///
    /// It is never called.
    pub fn start(&mut self, _: &Job) -> Result<u32, LaunchError> {
        match self.0 {}
    }

    pub(crate) fn start_all(
        &mut self,
        _: &[Job],
        _: &mut dyn FnMut(usize, Result<u32, LaunchError>),
    ) {
        match self.0 {}
    }

    /// Brings a program to the machine; returns its path there.
    ///
    /// # Errors
    ///
    /// It is never called.
    pub fn push(&mut self, _: &Path) -> Result<String, LaunchError> {
        match self.0 {}
    }

    pub(crate) fn push_for(
        &mut self,
        _: &[Job],
        _: &OnceLock<Result<Copy, LaunchError>>,
    ) -> Result<bool, LaunchError> {
        match self.0 {}
    }

    /// Runs a command with this input to its end, for at most the given time.
    ///
    /// # Errors
    ///
    /// It is never called.
    pub fn run(&mut self, _: &[&str], _: &[u8], _: Duration) -> Result<Output, LaunchError> {
        match self.0 {}
    }

    /// Fetches part of a file there.
    ///
    /// # Errors
    ///
    /// It is never called.
    pub fn read_file(&mut self, _: &str, _: u64, _: u64) -> Result<Vec<u8>, LaunchError> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Hosts;

    #[test]
    fn who_wants_another_machine_is_told_what_to_do() {
        let hosts = Hosts::parse("student@lab01:2222 slots=3\n").unwrap();
        let error = Remote::connect(&hosts[0], &LaunchOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "student@lab01:2222: connect: this program was built without SSH, and starts processes on this \
             machine only; build it without --no-default-features"
        );
    }
}
