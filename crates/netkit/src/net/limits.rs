//! What one peer may take from everybody else.

use std::time::Duration;

use crate::frame::MAX_FRAME;

/// How much one peer, and all strangers together, may take. Build it from the default and change
/// what you need:
///
/// ```
/// use netkit::Limits;
///
/// let limits = Limits { max_frame: 64 * 1024, ..Limits::default() };
/// assert!(limits.max_queue > limits.max_frame);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most bytes a body may have, here and coming in. Default: [`MAX_FRAME`].
    pub max_frame: usize,
    /// The most bytes that may wait for one peer to take them. A peer for which more wait is cut
    /// off, for it reads slower than we write and would fill memory. Default: 16 MiB, sixteen of
    /// the largest frames.
    pub max_queue: usize,
    /// The most connections that have not yet proved their membership, or, where anybody is
    /// welcome, said anything. One more, and the oldest of them makes room: an honest peer needs a
    /// few milliseconds, so that it gets through however many others just sit there. Default: 256,
    /// far more than the processes that start at the same moment.
    pub max_strangers: usize,
    /// The most connections at once. Those that come beyond are closed unheard. Default: 8,192.
    pub max_connections: usize,
    /// How long an outgoing connection may take to be made. Default: 5 s; the kernel alone would
    /// try for two minutes.
    pub connect_deadline: Duration,
    /// How long the handshake may take, or the first frame where anybody is welcome, once
    /// connected. Default: 3 s: two packets each way, and a busy machine.
    pub handshake_deadline: Duration,
    /// How long [`close_when_sent`](crate::Net::close_when_sent) waits for the peer to take what is
    /// queued. Default: 2 s, so that a peer that reads nothing does not delay the end of the
    /// program.
    pub close_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_frame: MAX_FRAME,
            max_queue: 16 * MAX_FRAME,
            max_strangers: 256,
            max_connections: 8192,
            connect_deadline: Duration::from_secs(5),
            handshake_deadline: Duration::from_secs(3),
            close_deadline: Duration::from_secs(2),
        }
    }
}
