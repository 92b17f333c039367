//! Lab 08: distributed checkpoints.
//!
//! [`snapshot`] is a layer round any application; [`work`] has the applications of this lab, [`bank`] and
//! [`counter`], both at a [`pace`]. What is recorded goes to files, [`checkpoint`], written so that a kill
//! at any moment leaves the earlier ones whole, [`labs::files`], by the [`writer`], into a folder that is one run's,
//! [`claim`]. Mistakes are in [`broken`]; [`lab`] says what is
//! demanded, [`findings`] what was measured, [`tools`] what there is beside the three verbs.

#![forbid(unsafe_code)]

pub mod bank;
pub mod broken;
pub mod checkpoint;
pub mod claim;
pub mod counter;
pub mod findings;
pub mod lab;
pub mod pace;
pub mod snapshot;
pub mod tools;
pub mod work;
pub mod writer;
