//! Where the choices of a replayed run come from: from where they came when it ran.

use crate::process::{Choices, ProcessId};

/// Where choices come from.
#[derive(Clone, Debug)]
pub enum Luck {
    /// All processes draw from one stream, in the order of the trace: `simulate`.
    Shared {
        /// The stream.
        stream: Choices,
        /// Whether a step was left out, which may have drawn from it.
        is_spoilt: bool,
    },
    /// Each process draws from a stream of its own, the same whenever it starts: `run`.
    Each {
        /// The streams, by rank.
        streams: Vec<Choices>,
        /// What they are drawn from.
        seed: u64,
    },
    /// Nobody wrote them down: `check`.
    Unknown,
}

impl Luck {
    /// As in a simulation with this seed.
    pub fn of_simulation(seed: u64) -> Self {
        Self::Shared { stream: crate::simulate::choices(seed), is_spoilt: false }
    }

    /// As in a real run of so many processes with this seed.
    pub fn of_run(seed: u64, processes: u32) -> Self {
        let stream = |rank| Choices::of(ProcessId(rank), seed);
        Self::Each { streams: (0..processes).map(stream).collect(), seed }
    }

    /// The same, where some steps are missing in the trace that may have drawn.
    #[must_use]
    pub fn of_part(mut self) -> Self {
        self.miss();
        self
    }

    /// A step is not made that may have drawn.
    pub(super) fn miss(&mut self) {
        if let Self::Shared { is_spoilt, .. } = self {
            *is_spoilt = true;
        }
    }

    /// A process is a new program.
    pub(super) fn begin_again(&mut self, process: ProcessId) {
        if let Self::Each { streams, seed } = self
            && let Some(stream) = streams.get_mut(process.index())
        {
            *stream = Choices::of(process, *seed);
        }
    }

    /// The stream of a process, and whether it is spoilt; none if it is to be found.
    pub(super) fn stream(&mut self, process: ProcessId) -> Option<(&mut Choices, bool)> {
        match self {
            Self::Shared { stream, is_spoilt } => Some((stream, *is_spoilt)),
            Self::Each { streams, .. } => {
                streams.get_mut(process.index()).map(|stream| (stream, false))
            }
            Self::Unknown => None,
        }
    }
}
