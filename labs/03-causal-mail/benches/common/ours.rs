//! Two servers of lab 03, and clients of the first.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use causal_mail::ordering::Order;
use causal_mail::post::session::{Options, Session};
use causal_mail::post::{passwords, secret};

use super::{BODY, CLIENTS, LINES, PATIENCE, measure};

pub(crate) struct Post {
    folder: PathBuf,
    port: u16,
    servers: Vec<Child>,
}

impl Post {
    pub(crate) fn up(folder: &Path) -> Self {
        fs::create_dir(folder).expect("a folder");
        let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let ports = listeners.map(|listener| listener.local_addr().expect("its address").port());
        let [a, b] = ports;
        let servers = format!("127.0.0.1:{a}:a.org\n127.0.0.1:{b}:b.org\n");
        fs::write(folder.join("servers"), servers).expect("a file");
        secret::create(&folder.join("secret")).expect("a secret");
        for user in 0..CLIENTS {
            let user = format!("user{user}");
            passwords::set(&folder.join("passwords"), &user, &user).expect("a password");
        }
        let start = |port: u16, domain: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_causal-mail"));
            command.current_dir(folder).args(["server", &port.to_string(), domain, "servers"]);
            let mut child = command.stdout(Stdio::piped()).spawn().expect("a server");
            let mut line = String::new();
            let out = child.stdout.take().expect("its output");
            BufReader::new(out).read_line(&mut line).expect("what it says");
            assert!(line.starts_with("listening"), "{line}");
            child
        };
        let servers = vec![start(a, "a.org"), start(b, "b.org")];
        Self { folder: folder.to_owned(), port: a, servers }
    }

    pub(crate) fn round(&self, mails: usize) -> f64 {
        let client = |user| {
            let options = Options {
                host: "127.0.0.1".to_owned(),
                port: self.port,
                address: format!("user{user}@a.org").parse().expect("an address"),
                password: format!("user{user}"),
                order: Order::Causal,
                patience: PATIENCE,
            };
            Session::open(options).expect("a box")
        };
        let clients = (0..CLIENTS).map(client).collect();
        let mailbox = self.folder.join("mail-b.org/boxes/user0/new");
        measure(clients, mails, &mailbox, |client: &mut Session| {
            client.send(&["user0@b.org".to_owned()], &BODY.repeat(LINES)).expect("accepted");
        })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
