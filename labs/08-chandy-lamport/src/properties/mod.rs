//! What is demanded of snapshots, whatever application is recorded.
//!
//! A process says where a wave cuts it, what it recorded, and which markers reach it
//! ([`Indication`]); the rest is seen from the messages.

mod blocked;
mod channel_states;
mod closing;
mod conservation;
mod consistent_cut;
mod every_wave;
mod initiators;
mod markers;
mod states;
mod storing;
#[cfg(test)]
mod tests;
mod ticks;

use labs::trace::Noted;
use labs::verdict::Property;

pub use self::blocked::Blocked;
pub use self::channel_states::ChannelStates;
pub use self::closing::Closing;
pub use self::conservation::Conservation;
pub use self::consistent_cut::ConsistentCut;
pub use self::every_wave::EveryWave;
pub use self::initiators::Initiators;
pub use self::markers::Markers;
pub use self::states::States;
pub use self::storing::Storing;
pub use self::ticks::{Sending, Ticks};
use crate::snapshot::{CLOSE, Indication, MARKER, Protocol, Worth};

/// What is demanded of so many processes that record so many waves, from the `first` number on; of what is conserved there is this
/// `total`, if anything is.
pub fn demanded<A: Worth>(
    processes: u32,
    waves: u64,
    first: u32,
    total: Option<u64>,
    protocol: Protocol,
) -> Vec<Property> {
    type I<A> = Indication<A>;
    let blocked = (protocol == Protocol::Blocking).then(|| Blocked::new(processes));
    [
        Some(Property::safety::<I<A>>("consistent cut", ConsistentCut::new(processes))),
        Some(Property::safety::<I<A>>(
            "channel states are the messages in transit",
            ChannelStates::new(processes),
        )),
        total.map(|total| {
            let watch = Conservation::new(total, processes);
            Property::safety::<I<A>>("the total is conserved", watch)
        }),
        Some(Property::safety::<I<A>>(
            "one marker a channel and wave",
            Markers::new(waves, processes),
        )),
        Some(Property::safety::<I<A>>(
            "waves begin with their initiators",
            Initiators::new(processes, first),
        )),
        Some(Property::liveness::<I<A>>(
            "every wave is recorded by all",
            EveryWave::new(waves, processes),
        )),
        Some(Property::safety::<I<A>>("stored before it goes on", Storing::default())),
        blocked
            .map(|watch| Property::safety::<I<A>>("no application message while blocked", watch)),
        Some(Property::liveness::<I<A>>(
            "CLOSE is the last message on each channel",
            Closing::new(waves, processes),
        )),
        (protocol == Protocol::ChandyLamport)
            .then(|| Property::never("the application goes on", "Resumed")),
        Some(Property::fifo()),
        Some(Property::exactly_once()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether a message is one of the application, which waves record.
fn is_of_application(message: &dyn Noted) -> bool {
    ![MARKER, CLOSE].contains(&&*message.kind())
}
