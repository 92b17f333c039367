//! The states of a system in a browser: Stateright's Explorer.

use std::io;
use std::net::{SocketAddr, TcpListener};

use stateright::Model as _;

use super::model::Model;
use super::options::Options;
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
pub fn explore<P>(
    processes: Vec<P>,
    requests: Vec<Vec<P::Request>>,
    properties: &[Property],
    options: &Options,
    address: SocketAddr,
    ready: impl FnOnce(),
) -> Result<(), ExploreError>
where
    P: Process + Send + Sync + 'static,
    P::Request: Send + Sync,
    P::Message: Send + Sync,
    P::Timer: Send + Sync,
{
    if !address.ip().is_loopback() {
        return Err(ExploreError::NotLoopback(address));
    }
    // Stateright panics where it cannot listen, so somebody tries before.
    TcpListener::bind(address).map_err(|error| ExploreError::Listen { address, error })?;
    ready();
    let model = Model::new(processes, requests, properties.to_vec(), options.clone());
    model.checker().threads(options.threads).serve(address);
    Ok(())
}
