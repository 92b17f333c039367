//! The command line: two roles.

use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use netkit::advice::advised;
use netkit::text;

use crate::{client, keeper, server};

/// The exit status of what could not be done.
const COULD_NOT: u8 = 2;

#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
/// A server and a client of the Finger protocol (RFC 1288)
struct CommandLine {
    #[command(subcommand)]
    role: Role,
}

const AFTER_HELP: &str = "\
    The port of the protocol is 79, and binding to it is for root: `fingerd serve --port 79 \
    --user nobody`. Any client works: `finger root@HOST` (always port 79), or `nc HOST \
    7979`.\n\
    \n\
    Exit status: 0 it went well; 2 it did not, and one line says what failed and what to do.";

#[derive(Debug, Subcommand)]
enum Role {
    /// Answer queries, until SIGINT or SIGTERM; a daemon opens its log anew at SIGHUP
    Serve(server::Options),
    /// Ask a server, and print its answer
    Query(client::Options),
    /// End what a server leaves behind that is killed: it starts this itself
    #[command(name = keeper::ROLE, hide = true)]
    Keep,
}

/// Does what the command line says, and tells in one line if it cannot be done.
pub fn main() -> ExitCode {
    netkit::signals::let_long_writes_fail();
    let result = match CommandLine::try_parse().unwrap_or_else(|error| refuse(&error)).role {
        Role::Serve(options) => server::serve(options, &mut io::stdout()),
        Role::Query(options) => client::query(&options, &mut io::stdout().lock()),
        Role::Keep => {
            keeper::keep();
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody reads this either, the exit status still says it.
            let line = advised(text::one_line(&format!("{error:#}"), usize::MAX));
            let _ = writeln!(io::stderr(), "fingerd: {line}");
            ExitCode::from(COULD_NOT)
        }
    }
}

/// Says what is wrong with the command line, of a number in words, and ends the program as clap does.
fn refuse(error: &clap::Error) -> ! {
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(words) = netkit::advice::number_in_words(&why) {
        let message = error.render().to_string().replacen(&why, &words, 1);
        let _ = write!(io::stderr(), "{message}");
        std::process::exit(error.exit_code());
    }
    error.exit()
}
