//! Tests of a run: of its parts, and of the launcher and its participants as one system of
//! processes.

mod check;
mod hosted;
mod journals;
#[cfg(feature = "script")]
mod scripts;
mod simulate;
mod world;
