//! The command line: four roles.

use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use netkit::advice::advised;
use netkit::text;

use crate::{tcp_client, tcp_server, udp_client, udp_server};

/// The exit status of what could not be done.
const COULD_NOT: u8 = 2;

#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
/// Client and server over UDP and TCP
struct CommandLine {
    #[command(subcommand)]
    role: Role,
}

const AFTER_HELP: &str = "\
    What is sent is plain text: `nc HOST 9875` and `nc -u HOST 9875` are clients of the \
    servers, and the clients talk to `nc -l 9875` and `nc -lu 9875`. Ctrl-C ends a server, \
    which then says what it served.\n\
    \n\
    Exit status: 0 it went well; 2 it did not, and one line says what failed and what to do.";

#[derive(Debug, Subcommand)]
enum Role {
    /// Receive datagrams and show them, for ever
    UdpServer(udp_server::Options),
    /// Send one datagram
    UdpClient(udp_client::Options),
    /// Receive messages from many clients at once, and acknowledge each
    TcpServer(tcp_server::Options),
    /// Connect, send one message, wait for the acknowledgement, close
    TcpClient(tcp_client::Options),
}

/// Does what the command line says, and tells in one line if it cannot be done.
pub fn main() -> ExitCode {
    netkit::signals::let_long_writes_fail();
    let command_line = CommandLine::try_parse().unwrap_or_else(|error| refuse(&error));
    let out = &mut io::stdout();
    let result = match &command_line.role {
        Role::UdpServer(options) => udp_server::serve(options, out),
        Role::UdpClient(options) => udp_client::send(options, out),
        Role::TcpServer(options) => tcp_server::serve(options, out),
        Role::TcpClient(options) => tcp_client::send(options, out),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody reads this either, the exit status still says it.
            let line = advised(text::one_line(&format!("{error:#}"), usize::MAX));
            let _ = writeln!(io::stderr(), "udp-tcp: {line}");
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
