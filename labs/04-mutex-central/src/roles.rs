//! The coordinator and the client as programs of their own, which people start by hand.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use labs::files;
use labs::lab::{Application, Place, Tool};
use labs::process::ProcessId;
use labs::run::Key;
use labs::run::solo::{self, Role as Solo};
use labs::text::counted;

use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::messages::{COORDINATOR, Indication, Request, Times, Work};
use crate::mutex::Mutex;
use crate::shared_file::SharedFile;
use crate::state_file::{self, StateFile};

/// The name of the group of a coordinator and its clients.
const GROUP: &str = "mutex-central";

/// The port of the coordinator unless told otherwise: above those that only root may use, and not among those
/// that the system gives away.
const PORT: u16 = 4040;

/// The subcommands beside the verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Role {
    /// Let clients in, one at a time, until Ctrl-C: the coordinator as a program of its own
    Coordinator(CoordinatorArguments),
    /// Enter the critical section a number of times, by leave of a coordinator
    Client(ClientArguments),
}

/// What the coordinator is told.
#[derive(clap::Args, Debug)]
pub struct CoordinatorArguments {
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from(([127, 0, 0, 1], PORT)))]
    listen: SocketAddr,
    #[command(flatten)]
    secret: SecretArguments,
    /// Where it stores what it must not forget: started again with the same file, it goes on where it
    /// was, even after `kill -9`. FILE.lock beside it keeps a second coordinator away [default: nowhere]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How long a client may stay in its critical section, in milliseconds; 0: for ever
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    lease: u64,
}

/// What a client is told.
#[derive(clap::Args, Debug)]
pub struct ClientArguments {
    /// Where the coordinator listens: HOST:PORT
    #[arg(value_name = "ADDRESS", default_value_t = format!("127.0.0.1:{PORT}"))]
    coordinator: String,
    #[command(flatten)]
    secret: SecretArguments,
    /// How many times it enters; 0: again and again, until Ctrl-C
    #[arg(long, value_name = "K", default_value_t = 5)]
    entries: u64,
    /// How long it works in its critical section, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    work: u64,
    /// After how long without an answer it asks again, in milliseconds; 0: never
    #[arg(long, value_name = "MS", default_value_t = 500)]
    retry: u64,
    /// The file that it writes to in its critical sections [default: none]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Its number, different from those of all other clients, from 1 [default: random]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..i64::from(u32::MAX)))]
    number: Option<u32>,
    /// End after the last entry, instead of staying connected until Ctrl-C
    #[arg(long)]
    quit: bool,
}

/// Who may take part.
#[derive(clap::Args, Debug)]
pub struct SecretArguments {
    /// The file with the secret that lets clients in: the coordinator makes it if it is not there, for its
    /// owner alone (mode 0600); copy it to the machines of the clients, and keep it as private there
    #[arg(long, value_name = "FILE", default_value = "mutex-central.secret")]
    secret: PathBuf,
}

impl Tool for Role {
    fn run(self) -> anyhow::Result<u8> {
        labs::cli::init_log("warn");
        match self {
            Self::Coordinator(arguments) => coordinator(&arguments)?,
            Self::Client(arguments) => client(&arguments)?,
        }
        Ok(0)
    }
}

fn coordinator(arguments: &CoordinatorArguments) -> anyhow::Result<()> {
    let key = Key::read_or_create(&arguments.secret.secret)?;
    let state = arguments.state.as_deref().map(files::absolute).transpose()?;
    // By one name, whatever links lead there: the lock stands beside it.
    let state = state.map(|path| path.canonicalize().unwrap_or(path));
    let times = Times { lease: Duration::from_millis(arguments.lease), ..Times::default() };
    let mut coordinator = Coordinator::new(times);
    // What holds something else is refused before a lock is put beside it.
    state.as_deref().map(state_file::load).transpose().map_err(anyhow::Error::msg)?;
    let file = StateFile::open(state.as_deref())?;
    if let Some(path) = &state {
        let stored = state_file::load(path).map_err(anyhow::Error::msg)?;
        if let Some(book) = &stored {
            say(&format!(
                "goes on after token {}, with {} in the line",
                book.token,
                book.line.len()
            ));
        }
        coordinator = coordinator.with_book(stored.unwrap_or_default());
    }
    let role = Solo {
        group: GROUP.to_owned(),
        key,
        me: COORDINATOR,
        listen: Some(arguments.listen),
        connect: Vec::new(),
        seed: 0,
        process: Mutex::Coordinator(coordinator),
        application: Box::new(file),
        is_over: |_| false,
        lost: |client| Some(Request::Lost(client)),
        stop: None,
    };
    solo::play(role, |address| {
        let address = address.unwrap_or(arguments.listen);
        say(&format!("listens on {address}; clients need {}", arguments.secret.secret.display()));
    })
}

fn client(arguments: &ClientArguments) -> anyhow::Result<()> {
    let key = Key::read(&arguments.secret.secret)?;
    let address = first_that_answers(&resolve(&arguments.coordinator)?);
    let me = ProcessId(arguments.number.unwrap_or_else(random_number));
    let ms = Duration::from_millis;
    let times = Times {
        work: Work::always(arguments.work),
        retry: ms(arguments.retry),
        // A person started it, and a person will end it.
        retries: u32::MAX,
        ..Times::default()
    };
    let entries = if arguments.entries == 0 { u64::MAX } else { arguments.entries };
    let place = Place {
        me,
        processes: 0,
        host: labs::run::host_name(),
        pid: std::process::id(),
        address: String::new(),
    };
    let file = arguments.file.as_deref().map(files::absolute).transpose()?;
    if let Some(file) = &file {
        files::check_regular(file)
            .with_context(|| format!("cannot use --file {}", file.display()))?;
    }
    let count = Count { file: SharedFile::open(file.as_deref(), &place)?, entries: 0 };
    let role = Solo {
        group: GROUP.to_owned(),
        key,
        me,
        listen: None,
        connect: vec![(COORDINATOR, address)],
        seed: u64::from(me.0),
        process: Mutex::Client(Client::new(times, entries)),
        application: Box::new(count),
        is_over: match arguments.quit {
            true => |told| matches!(told, Indication::Finished | Indication::Stopped),
            false => |told| matches!(told, Indication::Stopped),
        },
        lost: |_| None,
        stop: Some(Request::Stop),
    };
    solo::play(role, |_| say(&format!("client {} of the coordinator at {address}", me.0)))
}

/// A client's application: the shared file, and how often it entered.
struct Count {
    file: SharedFile,
    entries: u64,
}

impl Application<Indication, Request> for Count {
    fn on_indication(&mut self, indication: &Indication) -> io::Result<Vec<Request>> {
        let requests = self.file.on_indication(indication)?;
        match indication {
            Indication::Left(token) if !requests.is_empty() => {
                say(&format!("refused: token {token} is stale"));
            }
            Indication::Left(_) => self.entries += 1,
            Indication::Expired(token) => {
                say(&format!("the section with token {token} was over before its work was done"));
            }
            Indication::Finished => say(&format!("entered {}", counted(self.entries, "time"))),
            Indication::Stopped => {
                say(&format!("stopped after {}", counted(self.entries, "entry")))
            }
            _ => {}
        }
        Ok(requests)
    }
}

fn resolve(address: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = address
        .to_socket_addrs()
        .with_context(|| format!("{address:?} is no address of a coordinator: HOST:PORT"))?
        .collect();
    anyhow::ensure!(!addresses.is_empty(), "{address:?} has no address");
    Ok(addresses)
}

/// How long one of several addresses may take to answer, and how long to wait when none did: a connection
/// within a laboratory takes a thousandth of that.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The address that the client stays with. A host may have several, and the coordinator listens on one: they
/// are tried until it does. Of a single one the client need not know beforehand whether somebody is there.
fn first_that_answers(addresses: &[SocketAddr]) -> SocketAddr {
    if let [only] = addresses {
        return *only;
    }
    let answers = |address: &&SocketAddr| TcpStream::connect_timeout(address, ATTEMPT).is_ok();
    loop {
        if let Some(address) = addresses.iter().find(answers) {
            return *address;
        }
        pause(ATTEMPT);
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no event that says that somebody listens")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A number that no other client has, most likely: of a thousand, two have the same once in four thousand times.
fn random_number() -> u32 {
    let random = RandomState::new().build_hasher().finish();
    // From 1, for the coordinator is 0; and below the number that launchers have.
    1 + (random % u64::from(u32::MAX - 1)) as u32
}

/// Says something on standard output. That nobody listens is no reason to fail.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
