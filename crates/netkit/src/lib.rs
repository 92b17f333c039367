//! Framed TCP and UDP, SSH launching, daemons and logs.

pub mod codec;
pub mod daemon;
pub mod frame;
pub mod hosts;
pub mod launch;
pub mod logs;
mod marker;
pub mod membership;
pub mod net;
pub mod reap;
pub mod run_id;
pub mod ssh;
mod text;
pub mod udp;

pub use nix::sys::signal::Signal;

pub use membership::{Membership, Secret};
pub use net::{
    Admission, CloseReason, ConnectionId, Limits, ListenerId, Net, Outgoing, Peer, SendError,
    Service, SocketId, TimerId, Waker,
};
