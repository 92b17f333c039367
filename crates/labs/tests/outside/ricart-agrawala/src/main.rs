//! Mutual exclusion by permission: a lab in a repository of its own.

mod lab;
mod properties;
mod ricart_agrawala;

fn main() -> std::process::ExitCode {
    labs::cli::main::<lab::RicartAgrawalaLab>()
}
