//! Small algorithms, each once as a process and once as an actor of Stateright, to compare the
//! checker with Stateright's own model of actors. Tests and benches share them.

pub(crate) mod chang_roberts;
pub(crate) mod ricart_agrawala;
