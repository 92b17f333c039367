//! What a command on another machine printed.

/// The most that [`Remote::run`](super::Remote::run) keeps of each output of a command, in bytes.
pub const MAX_RUN_OUTPUT: usize = 16 << 20;

/// What a command printed and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// The name of the signal that ended it, such as `KILL`.
    pub signal: Option<String>,
    /// What it wrote to its standard output, at most [`MAX_RUN_OUTPUT`] bytes.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, at most [`MAX_RUN_OUTPUT`] bytes.
    pub stderr: Vec<u8>,
    /// Whether either was longer than that; the command was cut off then, and has no status.
    pub cut_off: bool,
}
