//! The lab's own subcommands.
use clap::Subcommand;
/// Tools.
#[derive(Debug, Subcommand)]
pub enum Tools {}
impl labs::cli::Tool for Tools {
    fn run(self) -> anyhow::Result<u8> {
        match self {}
    }
}
