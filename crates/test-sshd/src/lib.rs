//! An SSH server inside a test.
//!
//! netkit's way over SSH is tested against real traffic, on any machine, as an ordinary user and
//! without an `sshd`. The server listens on a free port of 127.0.0.1, runs in a thread of its own,
//! ends with the value that stands for it, really runs the commands it is given (`sh -c`, with a
//! home folder of its own), and really keeps the files it is sent. It is strict or broken in the
//! ways that [`Behaviour`] names, and counts what it sees.
//!
//! [`Bench`] is the other half: an SSH folder for the client with a key, known hosts and
//! configuration, so that nothing of the user who runs the test is read.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey, PublicKey};
use russh::{MethodKind, MethodSet, server};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use netkit::launch::LaunchOptions;

mod session;
mod sftp;

use session::Session;

/// In which ways a server is strict or broken; by default it is neither.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// How many connections are dropped before a word, as one does that has too many.
    pub drops_first: usize,
    /// After how many refused keys it hangs up.
    pub max_auth_tries: usize,
    /// How many channels it opens at once in one connection.
    pub max_sessions: usize,
    /// What a login prints before each command.
    pub noise: &'static str,
    /// Whether it offers SFTP.
    pub sftp: bool,
    /// The kinds of host key it has.
    pub host_keys: Vec<Algorithm>,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            drops_first: 0,
            max_auth_tries: 6,
            max_sessions: 10,
            noise: "",
            sftp: true,
            host_keys: vec![Algorithm::Ed25519],
        }
    }
}

/// What a server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many connections were accepted.
    pub connections: AtomicUsize,
    /// Connections open now.
    pub open: AtomicUsize,
    /// The most connections open at once.
    pub most_open: AtomicUsize,
    /// Files written to over SFTP.
    pub written: AtomicUsize,
    /// The commands run.
    pub commands: Mutex<Vec<String>>,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Sshd {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its public host keys, in the order of [`Behaviour::host_keys`].
    pub host_keys: Vec<PublicKey>,
    /// The home folder of its one user.
    pub home: PathBuf,
    /// What it has seen so far.
    pub seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _home: TempDir,
}

impl Sshd {
    /// Starts a server on which these keys may log in.
    ///
    /// # Panics
    ///
    /// If the system refuses; it is a test that calls this.
    pub fn start(authorized: &[PublicKey], behaviour: &Behaviour) -> Sshd {
        let keys: Vec<PrivateKey> = behaviour.host_keys.iter().cloned().map(new_key).collect();
        let host_keys = keys.iter().map(|key| key.public_key().clone()).collect();
        let config = server::Config {
            keys,
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            auth_rejection_time: std::time::Duration::ZERO,
            auth_rejection_time_initial: Some(std::time::Duration::ZERO),
            max_auth_attempts: behaviour.max_auth_tries,
            nodelay: true,
            ..server::Config::default()
        };
        let home = tempfile::tempdir().expect("a folder for the home");
        let seen = Arc::new(Seen::default());
        let session = Session {
            authorized: Arc::new(authorized.iter().map(|key| key.key_data().clone()).collect()),
            behaviour: behaviour.clone(),
            home: home.path().to_owned(),
            seen: seen.clone(),
            channels: HashMap::new(),
            running: Arc::default(),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || serve(listener, config, &session, stopped));
        Sshd {
            address,
            host_keys,
            home: home.path().to_owned(),
            seen,
            stop: Some(stop),
            thread: Some(thread),
            _home: home,
        }
    }

    /// The server as a line of a host file.
    pub fn host(&self) -> String {
        format!("tester@{}", self.address)
    }

    /// The line of known hosts for its host key of this index.
    ///
    /// # Panics
    ///
    /// If it has no such key.
    pub fn known_as(&self, index: usize) -> String {
        known_line(self.address, &self.host_keys[index])
    }

    /// The commands that were run so far.
    ///
    /// # Panics
    ///
    /// If the server has panicked.
    pub fn commands(&self) -> Vec<String> {
        self.seen.commands.lock().expect("no thread has panicked").clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server has panicked");
        }
    }
}

/// The line of known hosts that files a key.
///
/// # Panics
///
/// If the key cannot be written, which every one can.
pub fn known_line(address: SocketAddr, key: &PublicKey) -> String {
    let mut key = key.clone();
    key.set_comment("");
    let text = key.to_openssh().expect("a public key");
    format!("[{}]:{} {}\n", address.ip(), address.port(), text.trim())
}

/// A new key of the kind.
///
/// # Panics
///
/// If the kind is not supported.
pub fn new_key(kind: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), kind).expect("a new key")
}

/// The kind of key that is neither Ed25519 nor takes long to make.
pub const ECDSA: Algorithm = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };

/// An SSH folder for the client, with a key in it.
#[derive(Debug)]
pub struct Bench {
    folder: TempDir,
    /// The public half of its key `id_ed25519`.
    pub key: PublicKey,
}

impl Bench {
    /// A folder with the one key, and no host known.
    ///
    /// # Panics
    ///
    /// If the system refuses; it is a test that calls this.
    #[expect(clippy::new_without_default, reason = "each has another key")]
    pub fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let key = new_key(Algorithm::Ed25519);
        let bench = Bench { folder, key: key.public_key().clone() };
        bench.add_key("id_ed25519", &key);
        bench
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the folder.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file in the folder");
    }

    /// The text of a file in the folder; empty if there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes a private key, with its public half beside it.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn add_key(&self, name: &str, key: &PrivateKey) -> PathBuf {
        let text = key.to_openssh(LineEnding::LF).expect("a private key");
        self.write(name, &text);
        let path = self.path(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        path
    }

    /// How to reach servers from this folder: nothing of the user who runs the test is used, and
    /// nothing is asked for.
    pub fn options(&self) -> LaunchOptions {
        LaunchOptions {
            ssh_folder: Some(self.folder.path().to_owned()),
            known_hosts: Some(self.path("known_hosts")),
            agent: Some(self.path("no agent")),
            ask: false,
            ..LaunchOptions::default()
        }
    }

    /// A server that takes this folder's key, is known to it, and behaves well.
    pub fn server(&self) -> Sshd {
        self.server_that(&Behaviour::default())
    }

    /// A server that takes this folder's key and is known to it.
    pub fn server_that(&self, behaviour: &Behaviour) -> Sshd {
        let server = Sshd::start(std::slice::from_ref(&self.key), behaviour);
        self.write("known_hosts", &(self.read("known_hosts") + &server.known_as(0)));
        server
    }
}

/// Serves connections until it is stopped.
fn serve(
    listener: std::net::TcpListener,
    config: server::Config,
    session: &Session,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async move {
        listener.set_nonblocking(true).expect("a listener that does not block");
        let listener = TcpListener::from_std(listener).expect("a listener");
        let config = Arc::new(config);
        tokio::select! {
            () = accept(listener, config, session) => {}
            _ = stopped => {}
        }
    });
}

async fn accept(listener: TcpListener, config: Arc<server::Config>, session: &Session) {
    let seen = &session.seen;
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let nth = seen.connections.fetch_add(1, Ordering::SeqCst);
        if nth < session.behaviour.drops_first {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let open = Open::new(seen.clone());
        let (config, session) = (config.clone(), session.clone());
        tokio::spawn(async move {
            let _open = open;
            if let Ok(running) = server::run_stream(config, stream, session).await {
                // How a connection ends is the client's affair.
                let _ = running.await;
            }
        });
    }
}

/// Counts a connection for as long as it is open.
struct Open(Arc<Seen>);

impl Open {
    fn new(seen: Arc<Seen>) -> Open {
        let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_open.fetch_max(open, Ordering::SeqCst);
        Open(seen)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
