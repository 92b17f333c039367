//! The coordinator and the client as programs of their own.

use labs::cli::Tool;

/// The subcommands beside the three verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Role {}

impl Tool for Role {
    fn run(self) -> anyhow::Result<u8> {
        match self {}
    }
}
