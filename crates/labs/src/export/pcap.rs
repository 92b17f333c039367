//! A capture as `tcpdump` would have written it: the run's messages in frames of netkit, in TCP, in
//! IP, in Ethernet, for Wireshark and its filters.
//!
//! Of a simulated run there never were packets: addresses are made up from ranks (p0 is 10.0.0.1),
//! each pair of processes has one connection, opened by the one that sends first, and each packet
//! bears the time at which its message was sent, so that a message which the network lost is there
//! too. The frames are those of `docs/wire-format.md`, without handshakes and pings, with one
//! difference: a trace holds what a message says and not its bytes, and so the text stands where the
//! message would.
//!
//! The file format is that of libpcap (magic 0xa1b2c3d4, microseconds), the link type 1 (Ethernet).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};

use super::Exporter;
use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::trace::note::kind_field;
use crate::trace::{MessageNote, TraceEvent, What};

/// The most processes: as many as have addresses in 10.0.0.0/8, of which the first is the network's
/// own and the last means all of them.
pub const PROCESSES_MAX: u32 = (1 << 24) - 2;

/// The port at which every process listens; no dissector of Wireshark's own claims it.
pub const PORT: u16 = 47_100;

/// The ports from which connections are opened: the first of those that IANA leaves free for that,
/// and how many are used.
const EPHEMERAL: (u16, u16) = (49_152, 16_000);

/// What a packet on Ethernet holds beside the headers of IP and TCP.
const SEGMENT_MAX: usize = 1_460;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PUSH: u8 = 0x08;

pub(super) struct Pcap {
    /// By both ends, the lower first.
    connections: BTreeMap<(u32, u32), Connection>,
    /// The time of the last packet, in microseconds: clocks of several machines differ, and a capture has
    /// one.
    last: u64,
}

impl Pcap {
    pub(super) fn new(to: &mut dyn Write) -> io::Result<Self> {
        const ETHERNET: u32 = 1;
        const SNAPLEN: u32 = 262_144;
        let mut header = Vec::new();
        header.extend(0xa1b2_c3d4_u32.to_le_bytes());
        header.extend(2_u16.to_le_bytes());
        header.extend(4_u16.to_le_bytes());
        header.extend([0; 8]);
        header.extend(SNAPLEN.to_le_bytes());
        header.extend(ETHERNET.to_le_bytes());
        to.write_all(&header)?;
        Ok(Self { connections: BTreeMap::new(), last: 0 })
    }

    fn send(&mut self, from: u32, peer: u32, frame: &[u8], to: &mut dyn Write) -> io::Result<()> {
        let at_us = self.last;
        let connection = match self.connections.entry((from.min(peer), from.max(peer))) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let connection = new.insert(Connection::new(from, peer));
                for packet in connection.open() {
                    record(at_us, &packet, to)?;
                }
                connection
            }
        };
        let end = connection.end_of(from);
        for segment in frame.chunks(SEGMENT_MAX) {
            record(at_us, &connection.packet(end, PUSH | ACK, segment), to)?;
        }
        Ok(())
    }
}

/// One packet, with the time before it.
fn record(at_us: u64, packet: &[u8], to: &mut dyn Write) -> io::Result<()> {
    let (seconds, micros) = (at_us / 1_000_000, at_us % 1_000_000);
    let length = packet.len() as u32;
    for field in [seconds as u32, micros as u32, length, length] {
        to.write_all(&field.to_le_bytes())?;
    }
    to.write_all(packet)
}

impl Exporter for Pcap {
    fn event(&mut self, event: &TraceEvent, to: &mut dyn Write) -> io::Result<()> {
        let What::Send { peer, message } = &event.what else { return Ok(()) };
        self.last = self.last.max(event.at_us);
        let frame =
            frame(event.process, *peer, event.n, event.lamport, event.clock.as_ref(), message);
        self.send(event.process.0, peer.0, &frame, to)
    }
}

/// The frame of a message, as `docs/wire-format.md` draws it, with the message's text as the message.
fn frame(
    from: ProcessId,
    to: ProcessId,
    n: u64,
    lamport: u64,
    clock: Option<&Vector>,
    message: &MessageNote,
) -> Vec<u8> {
    const MESSAGE: u32 = 0;
    let mut body = Vec::new();
    body.extend(MESSAGE.to_be_bytes());
    body.extend(from.0.to_be_bytes());
    body.extend(to.0.to_be_bytes());
    body.extend(n.to_be_bytes());
    body.extend(lamport.to_be_bytes());
    body.extend(kind_field(&message.kind));
    match clock {
        None => body.push(0),
        Some(clock) => {
            body.push(1);
            body.extend((clock.entries().len() as u64).to_be_bytes());
            body.extend(clock.entries().iter().flat_map(|entry| entry.to_be_bytes()));
        }
    }
    body.extend((message.text.len() as u64).to_be_bytes());
    body.extend(message.text.bytes());
    let length = body.len() as u32;
    [&length.to_be_bytes()[..], &body].concat()
}

// -----------------------------------------------------------------------------------------------
// The layers below

/// 10.0.0.1 for p0, and so on.
fn address(process: u32) -> [u8; 4] {
    let [_, a, b, c] = (process + 1).to_be_bytes();
    [10, a, b, c]
}

/// A packet of Ethernet between cards whose (locally administered) addresses are made from the ranks.
fn ethernet(from: u32, to: u32, payload: &[u8]) -> Vec<u8> {
    const IPV4: [u8; 2] = [0x08, 0x00];
    let card = |process: u32| [&[0x02, 0x00][..], &process.to_be_bytes()].concat();
    [&card(to)[..], &card(from), &IPV4, payload].concat()
}

/// One end of a connection.
#[derive(Clone, Copy)]
enum End {
    Initiator,
    Acceptor,
}

/// One TCP connection, maybe of a process with itself.
struct Connection {
    /// The process at each end, and how many bytes it has sent, in the order of [`End`].
    ends: [(u32, u32); 2],
}

impl Connection {
    fn new(initiator: u32, acceptor: u32) -> Self {
        Self { ends: [(initiator, 0), (acceptor, 0)] }
    }

    /// The three packets by which TCP opens it.
    fn open(&mut self) -> [Vec<u8>; 3] {
        [(End::Initiator, SYN), (End::Acceptor, SYN | ACK), (End::Initiator, ACK)]
            .map(|(end, flags)| self.packet(end, flags, &[]))
    }

    fn end_of(&self, process: u32) -> End {
        match process == self.ends[End::Initiator as usize].0 {
            true => End::Initiator,
            false => End::Acceptor,
        }
    }

    /// The port of the initiator is made from the rank at the other end, so that the connections which a
    /// process opens can be told apart by it (those to ranks 16,000 apart by their addresses only).
    fn port(&self, end: End) -> u16 {
        let (acceptor, _) = self.ends[End::Acceptor as usize];
        match end {
            End::Initiator => EPHEMERAL.0 + (acceptor % u32::from(EPHEMERAL.1)) as u16,
            End::Acceptor => PORT,
        }
    }

    /// The next packet from this end.
    fn packet(&mut self, from: End, flags: u8, data: &[u8]) -> Vec<u8> {
        let to = match from {
            End::Initiator => End::Acceptor,
            End::Acceptor => End::Initiator,
        };
        let ((me, sequence), (peer, received)) = (self.ends[from as usize], self.ends[to as usize]);
        let segment = Segment {
            from: address(me),
            to: address(peer),
            ports: (self.port(from), self.port(to)),
            numbers: (sequence, if flags & ACK == 0 { 0 } else { received }),
            flags,
            data,
        };
        let taken = data.len() as u32 + u32::from(flags & SYN != 0);
        self.ends[from as usize].1 = sequence.wrapping_add(taken);
        ethernet(me, peer, &segment.ip())
    }
}

struct Segment<'a> {
    from: [u8; 4],
    to: [u8; 4],
    ports: (u16, u16),
    /// Of the first byte, and of the next one expected.
    numbers: (u32, u32),
    flags: u8,
    data: &'a [u8],
}

impl Segment<'_> {
    /// The packet of IP that carries it.
    fn ip(&self) -> Vec<u8> {
        const HEADER: usize = 20;
        const TCP: u8 = 6;
        const TIME_TO_LIVE: u8 = 64;
        let tcp = self.tcp(TCP);
        let length = (HEADER + tcp.len()) as u16;
        let mut header = vec![0x45, 0];
        header.extend(length.to_be_bytes());
        header.extend([0, 0, 0x40, 0, TIME_TO_LIVE, TCP, 0, 0]);
        header.extend(self.from);
        header.extend(self.to);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [header, tcp].concat()
    }

    fn tcp(&self, protocol: u8) -> Vec<u8> {
        const WORDS: u8 = 5;
        let mut tcp = Vec::new();
        tcp.extend(self.ports.0.to_be_bytes());
        tcp.extend(self.ports.1.to_be_bytes());
        tcp.extend(self.numbers.0.to_be_bytes());
        tcp.extend(self.numbers.1.to_be_bytes());
        tcp.extend([WORDS << 4, self.flags]);
        tcp.extend(u16::MAX.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(self.data);
        let length = tcp.len() as u16;
        let pseudo = [&self.from[..], &self.to, &[0, protocol], &length.to_be_bytes()].concat();
        let sum = checksum(&[&pseudo[..], &tcp].concat());
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        tcp
    }
}

/// The checksum of the Internet (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests;
