//! Real servers in a folder of their own, which end with the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use causal_mail::ordering::Order;
use causal_mail::post::session::{Options, Session, SessionError};
use causal_mail::post::{passwords, secret};
use labs::testing::wait_until;

use super::PROGRAM;

/// How often a server is started whose port was taken in between.
const STARTS_MAX: u32 = 5;

/// Servers a.org, b.org, ... with the same users each.
pub(crate) struct Post {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ports: Vec<u16>,
    servers: Vec<Option<Child>>,
    users: Vec<&'static str>,
}

impl Post {
    /// So many servers, not started yet. The password of each user is its name.
    pub(crate) fn new(servers: usize, users: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = |_| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listeners: Vec<_> = (0..servers).map(listener).collect();
        let ports: Vec<_> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let lines: Vec<_> = ports
            .iter()
            .enumerate()
            .map(|(i, port)| format!("127.0.0.1:{port}:{}\n", domain(i)))
            .collect();
        fs::write(folder.path().join("servers"), lines.concat()).unwrap();
        secret::create(&folder.path().join("secret")).unwrap();
        for user in users {
            passwords::set(&folder.path().join("passwords"), user, user).unwrap();
        }
        let servers = (0..servers).map(|_| None).collect();
        Self { folder, ports, servers, users: users.to_vec() }
    }

    /// So many servers, which run.
    pub(crate) fn up(servers: usize, users: &[&'static str]) -> Self {
        let mut post = Self::new(servers, users);
        (0..servers).for_each(|server| post.start(server, &[]));
        post
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, server: usize, options: &[&str]) -> Command {
        let mut command = PROGRAM.command();
        command.current_dir(self.folder.path());
        command.args(["server", &self.ports[server].to_string(), &domain(server), "servers"]);
        command.args(options);
        command
    }

    /// Starts a server, and waits until it listens.
    pub(crate) fn start(&mut self, server: usize, options: &[&str]) {
        self.start_as(server, self.command(server, options));
    }

    /// The same, by this command. Clients of other tests get their ports from where ours were found, and may
    /// have one of them just now: then it is tried again.
    pub(crate) fn start_as(&mut self, server: usize, mut command: Command) {
        for _ in 0..STARTS_MAX {
            let address = SocketAddr::from(([127, 0, 0, 1], self.ports[server]));
            wait_until("the port is free", || TcpListener::bind(address).is_ok());
            let mut log = fs::OpenOptions::new();
            let log = log.create(true).append(true).open(self.log(server)).unwrap();
            let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let listens = line.starts_with("listening on");
            self.servers[server] = Some(child);
            if listens {
                return;
            }
            self.kill(server);
            let said = self.said(server);
            assert!(said.trim_end().ends_with("Address already in use (os error 98)"), "{said}");
        }
        panic!("the port is never free: {}", self.said(server));
    }

    fn log(&self, server: usize) -> PathBuf {
        self.path(&format!("log-{}", domain(server)))
    }

    /// What a server said on standard error.
    pub(crate) fn said(&self, server: usize) -> String {
        fs::read_to_string(self.log(server)).unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, server: usize) {
        if let Some(mut child) = self.servers[server].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// As Ctrl-C does.
    pub(crate) fn stop(&mut self, server: usize) {
        if let Some(mut child) = self.servers[server].take() {
            let pid = nix::unistd::Pid::from_raw(child.id() as i32);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }

    pub(crate) fn options(&self, server: usize, user: &str, order: Order) -> Options {
        Options {
            host: "127.0.0.1".to_owned(),
            port: self.ports[server],
            address: address(server, user).parse().unwrap(),
            password: user.to_owned(),
            order,
            patience: Duration::from_secs(60),
        }
    }

    /// Opens a box.
    pub(crate) fn session(&self, server: usize, user: &str, order: Order) -> Session {
        Session::open(self.options(server, user, order)).unwrap()
    }

    /// What the client program makes of these commands in a pipe.
    pub(crate) fn client(&self, server: usize, user: &str, commands: &str) -> Output {
        let path = self.path(&format!("commands-{user}"));
        fs::write(&path, commands).unwrap();
        let mut command = self.client_command(server, user);
        command.stdin(fs::File::open(path).unwrap()).output().unwrap()
    }

    /// The client program.
    pub(crate) fn client_command(&self, server: usize, user: &str) -> Command {
        let mut command = PROGRAM.command();
        command.args(["client", "127.0.0.1", &self.ports[server].to_string()]);
        command.args(["--address", &address(server, user)]);
        command.env("CAUSAL_MAIL_PASSWORD", user);
        command
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|server| self.kill(server));
    }
}

/// `b.org` for 1.
pub(crate) fn domain(server: usize) -> String {
    format!("{}.org", (b'a' + server as u8) as char)
}

pub(crate) fn address(server: usize, user: &str) -> String {
    format!("{user}@{}", domain(server))
}

/// Reads all that may be read now.
pub(crate) fn read_all(session: &mut Session) -> Result<Vec<String>, SessionError> {
    session.fetch()?;
    let mut bodies = Vec::new();
    while let Some(mail) = session.next_mail() {
        session.confirm(&mail)?;
        bodies.push(mail.body);
    }
    Ok(bodies)
}

/// The number of files in a folder of a store.
pub(crate) fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
