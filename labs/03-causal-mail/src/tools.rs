//! The lab's own subcommands: servers and clients as programs.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;

use crate::post::{client, demo, first_line, passwords, secret, server};

/// What the program does beside the verbs.
#[derive(Debug, Subcommand)]
pub enum Tools {
    /// A mail server in charge of one domain
    Server(server::Options),
    /// Open a box: send and read mail
    Client(client::Options),
    /// Three servers and three clients here: an answer overtakes its question, and then does not
    Demo,
    /// Give a user a password, in the file that the server of its domain reads
    Passwd {
        /// The file; it is made if it is not there
        file: PathBuf,
        /// The user, without the domain
        name: String,
    },
    /// Write a new secret, which all servers share
    Secret {
        /// A file that is not there yet
        file: PathBuf,
    },
}

impl labs::lab::Tool for Tools {
    fn run(self) -> anyhow::Result<u8> {
        labs::cli::init_log("warn");
        match self {
            Self::Server(options) => server::serve(options).map(|()| 0),
            Self::Client(options) => client::run(options),
            Self::Demo => demo::run(),
            Self::Passwd { file, name } => {
                passwords::set(&file, &name, &new_password(&name)?)?;
                Ok(0)
            }
            Self::Secret { file } => {
                secret::create(&file)?;
                Ok(0)
            }
        }
    }
}

/// Asked for on a terminal; the first line of a pipe.
fn new_password(name: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return rpassword::prompt_password(format!("new password of {name}: "))
            .context("the password cannot be read");
    }
    let mut line = Vec::new();
    // The longest password, a mark before it and the end of the line behind it: what is longer is refused.
    let limit = passwords::PASSWORD_MAX as u64 + 6;
    std::io::Read::take(stdin.lock(), limit)
        .read_until(b'\n', &mut line)
        .context("the password cannot be read from standard input")?;
    let line = String::from_utf8(line).ok();
    let line = line.context("the password from standard input is no UTF-8: choose another")?;
    Ok(first_line(&line).to_owned())
}
