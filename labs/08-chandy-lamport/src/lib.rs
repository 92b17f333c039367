//! Lab 08: distributed checkpoints.
//!
//! [`snapshot`] is a layer round any application, with its mistakes; [`wave`] names what it records, and
//! [`properties`] are demanded of it. [`work`] has the applications of this lab, [`bank`] and [`counter`],
//! both at a [`pace`]. What is recorded goes to files, [`checkpoint`], written so that a kill at any moment
//! leaves the earlier ones whole, [`labs::files`], by the [`writer`], into a folder that is one run's,
//! [`claim`] and [`store`]. [`lab`] has the options,
//! [`lab::findings`] what was measured, [`lab::tools`] what there is beside the verbs.

#![forbid(unsafe_code)]

pub mod bank;
pub mod checkpoint;
pub mod claim;
pub mod counter;
pub mod lab;
pub mod pace;
pub mod properties;
pub mod snapshot;
pub mod store;
pub mod wave;
pub mod work;
pub mod writer;
