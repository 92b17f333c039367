//! The states of a system in a browser: Stateright's Explorer.
//!
//! It walks as fast as a person clicks. So it is compiled once, for a model whose types nobody sees: a
//! state is what it prints, its hash, and the steps that lead on from it.

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use stateright::Model as _;

use super::model::Model;
use super::options::Options;
use super::state::State;
use crate::process::Process;
use crate::verdict::Property;

/// Why the Explorer cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// The address is not of this machine alone.
    #[error(
        "{0} can be reached from outside, and the Explorer's server is not made for that: use 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// Nobody can listen there.
    #[error("cannot listen at {address}: {error}; choose another port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// Serves Stateright's Explorer, to walk through the states by hand, until the program ends. Calls `ready`
/// once it is known that it can.
///
/// # Errors
///
/// If `address` is not a loopback address, or is taken.
pub fn explore<P: Process>(
    processes: Vec<P>,
    requests: Vec<Vec<P::Request>>,
    properties: &[Property],
    options: &Options,
    address: SocketAddr,
    ready: impl FnOnce(),
) -> Result<(), ExploreError> {
    if !address.ip().is_loopback() {
        return Err(ExploreError::NotLoopback(address));
    }
    // Stateright panics where it cannot listen, so somebody tries before.
    TcpListener::bind(address).map_err(|error| ExploreError::Listen { address, error })?;
    ready();
    let model = Model::new(processes, requests, properties, Arc::new(options.clone()));
    serve(Explored(Arc::new(model)), options.threads, address);
    Ok(())
}

fn serve(model: Explored, threads: usize, address: SocketAddr) {
    model.checker().threads(threads).serve(address);
}

/// A model of processes of any type.
#[derive(Clone)]
struct Explored(Arc<dyn Places>);

/// What the Explorer asks of a model.
trait Places: Send + Sync {
    fn starts(&self) -> Vec<Place>;
}

/// A state, with the way on.
#[derive(Clone)]
struct Place(Arc<dyn Somewhere>);

/// What the Explorer asks of a state.
trait Somewhere: Debug + Send + Sync {
    fn fingerprint(&self) -> u64;
    fn holds(&self) -> bool;

    /// The steps from here, each with its name.
    fn ways(&self) -> Vec<(String, Place)>;
}

impl<P: Process> Places for Model<P> {
    fn starts(&self) -> Vec<Place> {
        let model = Arc::new(self.clone());
        let place = |(_, state)| Place(Arc::new(Here { model: model.clone(), state }));
        Self::starts(self).into_iter().map(place).collect()
    }
}

/// A state of one model.
struct Here<P: Process> {
    model: Arc<Model<P>>,
    state: State<P>,
}

impl<P: Process> Debug for Here<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}

impl<P: Process> Somewhere for Here<P> {
    fn fingerprint(&self) -> u64 {
        super::state::hash(&self.state)
    }

    fn holds(&self) -> bool {
        self.model.holds(&self.state)
    }

    fn ways(&self) -> Vec<(String, Place)> {
        let mut ways = Vec::new();
        if self.state.is_wrong() {
            return ways;
        }
        self.model.successors(&self.state, &mut |step, state| {
            let next = Here { model: self.model.clone(), state };
            ways.push((step.to_string(), Place(Arc::new(next))));
        });
        ways
    }
}

impl Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0.fingerprint());
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint() == other.0.fingerprint()
    }
}

/// A step, by its name, and where it leads.
#[derive(Clone, PartialEq)]
struct Way(String, Place);

impl Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl stateright::Model for Explored {
    type State = Place;
    type Action = Way;

    fn init_states(&self) -> Vec<Place> {
        self.0.starts()
    }

    fn actions(&self, state: &Place, actions: &mut Vec<Way>) {
        actions.extend(state.0.ways().into_iter().map(|(name, next)| Way(name, next)));
    }

    fn next_state(&self, _: &Place, Way(_, next): Way) -> Option<Place> {
        Some(next)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        let holds = |_: &Self, place: &Place| place.0.holds();
        vec![stateright::Property::always("all properties of the lab", holds)]
    }
}
