//! Calls on free ports between this machine and one that `labs hosts` tries: is the way open in both directions,
//! and how far apart are the clocks?
//!
//! The machine that is tried calls this one, says the word, answers the question for its time, and is called
//! back. Both ends are here, for both run this program.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use labs::cli::progress::now;
use labs::run::FOLDER;
use netkit::logs;
use netkit::membership::Secret;
use serde::{Deserialize, Serialize};

/// How long a connection on a free port may take, and what is said over it.
const CALL_MAX: Duration = Duration::from_secs(3);

/// How long a machine may take for all of its own part: two calls, and starting a program on a busy machine.
pub(crate) const LOOK_MAX: Duration = Duration::from_secs(15);

/// How long a word of a call may be, in bytes.
const WORD_MAX: u64 = 1_024;

/// How much time passes between two looks for a call.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a machine is asked to do.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Request {
    /// Where to call.
    pub(crate) call: SocketAddr,
    /// What to say there, and to hear.
    pub(crate) word: String,
}

/// What a machine says of itself.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Look {
    pub(crate) machine: String,
    pub(crate) hash: Option<String>,
    /// Free bytes in its /tmp, or why logs cannot be written.
    pub(crate) free: Result<u64, String>,
    /// Whether its call came through.
    pub(crate) called: Result<(), String>,
}

/// What is said in a call from there to here.
#[derive(Debug, Deserialize, Serialize)]
struct Call {
    word: String,
    /// The port to call back on.
    port: u16,
}

/// What came of the call that was waited for here.
pub(crate) struct Called {
    /// How many seconds the clock there is ahead.
    pub(crate) offset_s: f64,
    /// Whether calling back came through.
    pub(crate) back: Result<(), String>,
}

// At this end.

/// A word that nobody else knows.
pub(crate) fn new_word() -> anyhow::Result<String> {
    Ok(serde_json::from_value(serde_json::to_value(Secret::random()?)?)?)
}

/// A port of this machine that others can reach which are of the same kind as this address.
pub(crate) fn listen(like: IpAddr) -> io::Result<TcpListener> {
    TcpListener::bind(match like {
        IpAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    })
}

/// Waits for the call of the machine `there` while it looks at itself.
pub(crate) fn while_waiting(
    listener: &TcpListener,
    Request { call, word }: &Request,
    there: IpAddr,
    look: impl FnOnce() -> anyhow::Result<Look>,
) -> (anyhow::Result<Look>, Result<Called, String>) {
    thread::scope(|scope| {
        let waiting = || wait_for_call(listener, word, there);
        let waiting = match netkit::threads::spawn_scoped(scope, "call", waiting) {
            Ok(waiting) => waiting,
            Err(error) => return (Err(error.into()), Err("nobody waited for a call".to_owned())),
        };
        let look = look();
        // If it did not come through, or nothing was even started, one of ours ends the waiting.
        if !matches!(look, Ok(Look { called: Ok(()), .. })) {
            let loopback = match call {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            give_up(SocketAddr::new(loopback, call.port()), word);
        }
        (look, waiting.join().expect("nothing panics in waiting"))
    })
}

/// Waits for the call of a machine, asks for its time, and calls back.
fn wait_for_call(listener: &TcpListener, word: &str, there: IpAddr) -> Result<Called, String> {
    let deadline = now() + LOOK_MAX;
    loop {
        let no_call = |_| "no call came through".to_owned();
        let mut stream = accept(listener, deadline).map_err(no_call)?;
        // A caller that does not know the word is a stranger: the call is yet to come.
        match hear(&mut stream) {
            Ok(Call { port: 0, word: said }) if said == word => {
                return Err("no call came through".to_owned());
            }
            Ok(call) if call.word == word => {
                let offset_s = offset_s(&mut stream).map_err(|error| error.to_string())?;
                let back = call_back(SocketAddr::new(there, call.port), word);
                return Ok(Called { offset_s, back: back.map_err(|error| error.to_string()) });
            }
            _ => {}
        }
    }
}

/// How many seconds the clock at the other end is ahead: it is asked for its time, which is taken for that
/// in the middle between question and answer (Cristian, *Probabilistic clock synchronization*, 1989).
fn offset_s(stream: &mut TcpStream) -> io::Result<f64> {
    let asked = unix_us();
    stream.write_all(TIME)?;
    let there: u64 = hear(stream)?;
    let middle = (asked as f64 + unix_us() as f64) / 2.0;
    Ok((there as f64 - middle) / 1e6)
}

/// The question for the time.
const TIME: &[u8] = b"\"time\"\n";

/// Lets go who waits for a call that will not come.
fn give_up(address: SocketAddr, word: &str) {
    let call = Call { word: word.to_owned(), port: 0 };
    if let (Ok(mut stream), Ok(text)) =
        (TcpStream::connect_timeout(&address, CALL_MAX), serde_json::to_string(&call))
    {
        // It ends by its own deadline, if not by this.
        let _ = writeln!(stream, "{text}");
    }
}

fn call_back(address: SocketAddr, word: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, CALL_MAX)?;
    stream.set_read_timeout(Some(CALL_MAX))?;
    writeln!(stream, "{}", serde_json::to_string(word)?)?;
    let mut said = String::new();
    stream.take(WORD_MAX).read_to_string(&mut said)?;
    match said.as_str() {
        "heard\n" => Ok(()),
        _ => Err(io::Error::other("somebody else answered")),
    }
}

fn accept(listener: &TcpListener, deadline: Instant) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(CALL_MAX))?;
                stream.set_write_timeout(Some(CALL_MAX))?;
                return Ok(stream);
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => thread::park_timeout(LOOK_EVERY),
        }
    }
}

/// Reads one line of JSON.
fn hear<T: serde::de::DeserializeOwned>(stream: impl Read) -> io::Result<T> {
    let mut line = Vec::new();
    BufReader::new(stream.take(WORD_MAX)).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

// At the other end.

/// What this program does on a machine that is tried, for who asks it to.
pub(crate) fn look_for(asker: impl Read) -> anyhow::Result<Look> {
    Ok(look_here(&hear(asker).context("nobody said where to call")?))
}

/// Calls, waits to be called back, and says what there is to say.
pub(crate) fn look_here(Request { call, word }: &Request) -> Look {
    let hash = std::env::current_exe().and_then(|path| netkit::ssh::program_hash(&path));
    Look {
        machine: netkit::census::machine(),
        hash: hash.ok(),
        free: logs::try_out(FOLDER).map_err(|error| error.to_string()),
        called: call_and_wait(*call, word).map_err(|error| error.to_string()),
    }
}

fn call_and_wait(to: SocketAddr, word: &str) -> io::Result<()> {
    let listener = listen(to.ip())?;
    let port = listener.local_addr()?.port();
    let mut stream = TcpStream::connect_timeout(&to, CALL_MAX)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(CALL_MAX))?;
    stream.set_read_timeout(Some(CALL_MAX))?;
    let call = Call { word: word.to_owned(), port };
    writeln!(stream, "{}", serde_json::to_string(&call)?)?;
    if hear::<String>(&mut stream)? == "time" {
        writeln!(stream, "{}", unix_us())?;
    }
    let deadline = now() + CALL_MAX;
    // Whether that comes through, the other end knows.
    while let Ok(mut back) = accept(&listener, deadline) {
        if hear::<String>(&mut back).is_ok_and(|said| said == word) {
            let _ = back.write_all(b"heard\n");
            break;
        }
    }
    Ok(())
}

/// Microseconds since 1970.
fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_micros().try_into().unwrap_or(u64::MAX)
}
