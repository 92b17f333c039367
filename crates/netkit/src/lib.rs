//! Framed TCP and UDP on one thread, for programs that talk to each other, and what starts them on
//! many machines.
//!
//! netkit carries messages between processes and knows nothing of what they mean. It gives a
//! program connections on which whole frames arrive, proof that the other end belongs to it,
//! datagrams, timers and signals, all in one event loop; and a bound on everything that somebody
//! else could let grow. There is no runtime, no background thread and no macro: it is
//! [`mio`](https://docs.rs/mio) with the traps taken care of. Launching is a part of its own:
//! either is of use without the other.
//!
//! # A program is a service
//!
//! A [`Service`] has a method for each thing that can happen. It is handed the [`Net`], of which it
//! asks what is to be done. This one sends back what it gets:
//!
//! ```
//! use netkit::{Admission, CloseReason, ConnectionId, Limits, Net, Outgoing, Peer, Service};
//!
//! struct Echo;
//!
//! impl Service for Echo {
//!     fn on_open(&mut self, _: &mut Net, _: ConnectionId, peer: &Peer) {
//!         println!("{} is there", peer.address);
//!     }
//!     fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
//!         // An error here means that the peer is gone: `on_close` will say so.
//!         let _ = net.send(connection, body);
//!     }
//!     fn on_close(&mut self, net: &mut Net, _: ConnectionId, reason: CloseReason) {
//!         println!("{reason}");
//! #       net.stop();
//!     }
//! }
//!
//! let mut net = Net::new(Limits::default())?;
//! let (_, address) = net.listen("127.0.0.1:0".parse()?, Admission::Anyone)?;
//! let server = std::thread::spawn(move || net.run(&mut Echo));
//!
//! /// Says something, and stops when it comes back.
//! struct Client {
//!     heard: Option<Vec<u8>>,
//! }
//!
//! impl Service for Client {
//!     fn on_open(&mut self, net: &mut Net, connection: ConnectionId, _: &Peer) {
//!         net.send(connection, b"hello").expect("an open connection, a short frame");
//!     }
//!     fn on_frame(&mut self, net: &mut Net, _: ConnectionId, body: &[u8]) {
//!         self.heard = Some(body.to_vec());
//!         net.stop();
//!     }
//!     fn on_close(&mut self, net: &mut Net, _: ConnectionId, reason: CloseReason) {
//!         eprintln!("no answer: {reason}");
//!         net.stop();
//!     }
//! }
//!
//! let mut net = Net::new(Limits::default())?;
//! net.connect(address, Outgoing::Anyone)?;
//! let mut client = Client { heard: None };
//! net.run(&mut client)?;
//! assert_eq!(client.heard.as_deref(), Some(&b"hello"[..]));
//! # drop(net);
//! # server.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Handlers run one at a time and to completion, and nothing that they call blocks or calls them
//! back. What they send in one turn of the loop leaves in one system call at its end. A handler may
//! close any connection, the one it is being called for as well: no more of its frames arrive.
//! Names of connections are never used again, and a name that is out of date is answered with an
//! error or ignored.
//!
//! # Values travel as well as bytes
//!
//! What implements serde's traits is sent with [`Net::send_value`] and read with [`codec::decode`].
//! Decoding is safe on bytes from anybody: it is bounded in size, depth and number of elements.
//!
//! ```
//! #[derive(Debug, PartialEq, serde::Deserialize, serde::Serialize)]
//! enum Message {
//!     Ask { clock: u64 },
//!     Grant,
//! }
//!
//! let mut body = Vec::new();
//! netkit::codec::encode(&Message::Ask { clock: 7 }, &mut body)?;
//! assert_eq!(body, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
//! assert_eq!(netkit::codec::decode::<Message>(&body)?, Message::Ask { clock: 7 });
//! assert!(netkit::codec::decode::<Message>(b"random bytes").is_err());
//! # Ok::<(), netkit::codec::CodecError>(())
//! ```
//!
//! # Strangers never reach the service
//!
//! Processes that belong together share a [`Secret`]. A listener with [`Admission::Members`] and a
//! connection to [`Outgoing::Member`] prove to each other that they know it, and which rank each
//! has, before the service hears of the connection. Everybody else is closed within a deadline and
//! logged, and takes up a bounded number of places, the oldest of which is given away first. With
//! [`Admission::Either`] anybody else may come in as well, without a rank.
//!
//! ```
//! # use netkit::{CloseReason, ConnectionId, Limits, Net, Peer, Service};
//! use netkit::{Admission, Membership, Outgoing, Secret};
//!
//! # #[derive(Default)]
//! # struct Ends(Vec<(bool, Option<u32>)>);
//! # impl Service for Ends {
//! #     fn on_open(&mut self, net: &mut Net, _: ConnectionId, peer: &Peer) {
//! #         self.0.push((peer.incoming, peer.rank));
//! #         if self.0.len() == 2 { net.stop(); }
//! #     }
//! #     fn on_frame(&mut self, _: &mut Net, _: ConnectionId, _: &[u8]) {}
//! #     fn on_close(&mut self, _: &mut Net, _: ConnectionId, reason: CloseReason) { panic!("{reason}"); }
//! # }
//! # let mut ends = Ends::default();
//! # let mut net = Net::new(Limits::default())?;
//! // Hand the secret to each process on its standard input.
//! let secret = Secret::random()?;
//! let member = |me| Membership { run: "friday".into(), secret: secret.clone(), me };
//!
//! let (_, address) = net.listen("127.0.0.1:0".parse()?, Admission::Members(member(1)))?;
//! net.connect(address, Outgoing::Member { membership: member(0), to: 1 })?;
//! # net.run(&mut ends)?;
//! # ends.0.sort();
//! // Each `on_open` is told the rank of the other end.
//! # assert_eq!(ends.0, [(false, Some(1)), (true, Some(0))]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Nothing grows without a limit
//!
//! [`Limits`] has them all, each with its reason: the length of a frame, what waits for a peer that
//! reads slowly (then it is cut off; [`Net::queued`] and [`Service::on_drained`] let a sender hold
//! back in time), strangers, connections, and how long connecting, greeting and closing may take. A
//! peer that floods us is read from in turn with the others.
//!
//! # Time, signals and other threads are events too
//!
//! [`Net::start_timer`], [`Net::watch_signals`] and [`Net::waker`] lead to methods of the service.
//! The loop never spins: a program in which nothing happens uses no processor time.
//!
//! ```
//! # use netkit::{CloseReason, ConnectionId, Limits, Net, Peer, Service, TimerId};
//! use std::time::Duration;
//!
//! struct Countdown(u32);
//!
//! impl Service for Countdown {
//!     fn on_timer(&mut self, net: &mut Net, _: TimerId) {
//!         self.0 -= 1;
//!         if self.0 == 0 {
//!             net.stop();
//!         } else {
//!             net.start_timer(Duration::from_millis(1));
//!         }
//!     }
//! #   fn on_open(&mut self, _: &mut Net, _: ConnectionId, _: &Peer) {}
//! #   fn on_frame(&mut self, _: &mut Net, _: ConnectionId, _: &[u8]) {}
//! #   fn on_close(&mut self, _: &mut Net, _: ConnectionId, _: CloseReason) {}
//!     // ...
//! }
//!
//! let mut net = Net::new(Limits::default())?;
//! net.start_timer(Duration::from_millis(1));
//! let mut countdown = Countdown(3);
//! net.run(&mut countdown)?;
//! assert_eq!(countdown.0, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Processes are started here and elsewhere
//!
//! [`launch`] starts processes on the machines of a host file ([`hosts`]), directly or over SSH
//! ([`ssh`]); each becomes a daemon ([`daemon`]) with a log of its own ([`logs`]), and is given
//! what nobody else may see on its standard input. These modules use no event loop: they run to
//! their end and return what happened on each machine.
//!
//! # Other people's protocols
//!
//! [`signals`] says which signals to watch, for event loops of their own; [`sockets`] opens plain sockets, for protocols of raw text such as finger's, with errors that say
//! what to do; [`text`] makes what strangers say safe to show.
//!
//! # Files
//!
//! [`files`] reads what people name, without waiting and within bounds, and writes files that are
//! there whole or not at all. [`files::DurableLog`] is for what changes all the time: what a program
//! has appended in a turn is on the disk when [`Service::on_turn_end`] returns, with one wait, and with
//! [`Net::hold_back`] nothing of the turn leaves before.
//!
//! # What netkit leaves to others
//!
//! It does not encrypt: people are meant to watch frames with Wireshark. What members send each other
//! is sealed, frames and datagrams, so that nobody can change it unnoticed; what anyone else may send
//! is not. Use it on machines and networks that you trust, or through a tunnel.
//! It does not connect again by itself, does not send again what was under way when a connection
//! broke, and does not resolve names: what these should mean is for the protocol above to say.
//!
//! `docs/wire-format.md` in the repository draws every byte.

pub mod advice;
pub mod census;
pub mod codec;
pub mod daemon;
pub mod files;
pub mod frame;
pub mod hosts;
pub mod launch;
pub mod logs;
mod marker;
pub mod membership;
pub mod net;
pub mod reap;
pub mod run_id;
mod seal;
mod secret;
pub mod signals;
pub mod sockets;
#[cfg_attr(not(feature = "ssh"), path = "ssh/absent.rs")]
pub mod ssh;
pub mod text;
pub mod threads;
pub mod udp;

pub use nix::sys::signal::Signal;

pub use membership::datagram::UnsealedError;
pub use membership::{Membership, Secret};
pub use net::{
    Admission, CloseReason, ConnectionId, Limits, ListenerId, Net, Outgoing, Peer, SendError,
    Sender, Service, SocketId, TimerId, Waker,
};
pub use seal::envelope::SealError;
