//! Tells the launcher that a handler does not return.
//!
//! The thread of a participant that hangs in a handler has its connections, and nobody can take them from it. So the
//! thread that looks after it makes a connection of its own, as a *witness*, says what it knows, and ends the program.

use std::net::SocketAddr;
use std::time::Duration;

use log::{error, warn};
use netkit::membership::Membership;
use netkit::{CloseReason, ConnectionId, Net, Outgoing, Peer, Service, TimerId};
use serde::{Deserialize, Serialize};

use crate::misstep::watchdog::{Watchdog, Whereabouts};
use crate::misstep::{Misstep, Wrong};
use crate::process::ProcessId;
use crate::run::wire::{LAUNCHER, WITNESS};

/// How long one step of a participant may take: others take one for gone that is silent for three seconds, and
/// they must not be the first to speak.
const STEP_MAX: Duration = Duration::from_secs(2);

/// How long the launcher has to hear it. It may be busy, and the program ends in any case.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// What a witness says.
#[derive(Deserialize, Serialize)]
pub(super) struct Testimony {
    pub(super) process: ProcessId,
    when: String,
    what: String,
}

impl Testimony {
    pub(super) fn misstep(self) -> Misstep {
        let Self { when, what, .. } = self;
        Misstep { wrong: Wrong::Hangs, when, what, place: None }
    }
}

/// Looks after the steps of the process of this participant.
pub(super) fn look_after(
    whereabouts: Whereabouts,
    launcher: SocketAddr,
    member: &Membership,
) -> std::io::Result<Watchdog> {
    let membership = Membership { me: WITNESS, ..member.clone() };
    Watchdog::start(whereabouts, STEP_MAX, move |process, misstep| {
        error!("{}", misstep.sentence(process));
        let Misstep { when, what, .. } = misstep;
        let testimony = Testimony { process, when, what };
        if let Err(error) = tell(launcher, membership, &testimony) {
            warn!("the launcher was not told: {error}");
        }
        // Nobody can end the handler but with the program.
        std::process::exit(1);
    })
}

fn tell(
    launcher: SocketAddr,
    membership: Membership,
    testimony: &Testimony,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Net::new(netkit::Limits::default())?;
    net.connect(launcher, Outgoing::Member { membership, to: LAUNCHER })?;
    net.start_timer(HEARD_WITHIN);
    Ok(net.run(&mut Witness(testimony))?)
}

/// Says one thing, and waits until the launcher ends the connection.
struct Witness<'a>(&'a Testimony);

impl Service for Witness<'_> {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, _: &Peer) {
        if let Err(error) = net.send_value(connection, self.0) {
            warn!("the launcher was not told: {error}");
            net.stop();
        }
    }

    fn on_frame(&mut self, _: &mut Net, _: ConnectionId, _: &[u8]) {}

    fn on_close(&mut self, net: &mut Net, _: ConnectionId, _: CloseReason) {
        net.stop();
    }

    fn on_timer(&mut self, net: &mut Net, _: TimerId) {
        net.stop();
    }
}
