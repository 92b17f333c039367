//! A UDP socket, and whose datagrams it takes.

use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;

use super::{Admission, SendError, Sender};
use crate::frame::HEADER;
use crate::membership::MAGIC;
use crate::membership::datagram::{Correspondent, HEAD_MAX};
use crate::udp::{self, DatagramError, MAX_DATAGRAM, MAX_SEALED};

#[derive(Debug)]
pub(super) struct Letterbox {
    pub(super) socket: UdpSocket,
    /// Our place among the members, if their datagrams are taken.
    member: Option<Correspondent>,
    is_anybody_welcome: bool,
}

impl Letterbox {
    pub(super) fn new(socket: UdpSocket, admission: Admission) -> io::Result<Self> {
        let (membership, is_anybody_welcome) = match admission {
            Admission::Anyone => (None, true),
            Admission::Members(membership) => (Some(membership), false),
            Admission::Either(membership) => (Some(membership), true),
        };
        let member = membership.map(Correspondent::new).transpose();
        let member = member.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Letterbox { socket, member, is_anybody_welcome })
    }

    /// Sends a body, sealed if it is for a member.
    pub(super) fn send(
        &mut self,
        to: Sender,
        body: &[u8],
        max_frame: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let max = max_frame.min(if to.rank.is_some() { MAX_SEALED } else { MAX_DATAGRAM });
        if body.len() > max {
            return Err(SendError::TooLong { length: body.len(), max });
        }
        match (to.rank, &mut self.member) {
            (None, _) => udp::wrap(buffer, |into| into.extend_from_slice(body)),
            (Some(rank), Some(member)) => udp::wrap(buffer, |into| member.seal(rank, body, into)),
            (Some(_), None) => return Err(SendError::NoMember),
        }
        self.socket.send_to(buffer, to.address).map(drop).map_err(SendError::Datagram)
    }

    /// The sender of a datagram, and its body.
    pub(super) fn open<'a>(
        &mut self,
        address: SocketAddr,
        datagram: &'a [u8],
        max_frame: usize,
    ) -> Result<(Sender, &'a [u8]), DatagramError> {
        let frame = udp::body(datagram, max_frame.saturating_add(HEAD_MAX))?;
        let (rank, body) = match &mut self.member {
            Some(member) if !self.is_anybody_welcome || frame.starts_with(&MAGIC) => {
                let (rank, body) = member.open(frame)?;
                (Some(rank), body)
            }
            _ => (None, frame),
        };
        // Once more, for what stood before the body is gone.
        if body.len() > max_frame {
            return Err(DatagramError::TooLong { length: body.len(), max: max_frame });
        }
        Ok((Sender { rank, address }, body))
    }
}

// The length in each datagram and the head of a sealed one fit beside the largest body.
const _: () = assert!(HEADER + HEAD_MAX + MAX_SEALED <= 65_507);
