//! Shows a run in progress to the browsers of this machine: HTTP/1.1 with server-sent events.
//!
//! `/` is the page and `/events` what has happened, first all of it and then what comes. The server
//! listens on the loopback interface alone, and answers only to requests that name it so: a page of another
//! site, whose name somebody has made to mean 127.0.0.1, must not read a trace (*DNS rebinding*).
//!
//! Browsers are few and stay long, so each connection has a thread. There are at most
//! [`CONNECTIONS_MAX`], each says what it wants within [`REQUEST_TIMEOUT`] and [`REQUEST_MAX`] bytes, and
//! one that reads nothing is closed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::feed::{Feed, News, Place};
use super::until::Until;
use crate::cli::progress::now;
use crate::said::say;

/// How many browsers may look on at once: a class in front of one machine.
pub const CONNECTIONS_MAX: usize = 64;

/// How long a request may take to arrive.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest request: those of browsers have about 1 KiB.
pub const REQUEST_MAX: usize = 16 << 10;

/// How many fields a request may have: those of browsers have about 15.
const FIELDS_MAX: usize = 64;

/// How long a browser may take to read before it is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How often something is said when nothing happens, to notice that nobody listens any more.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How much time passes until a connection is accepted that could not be: a person hardly notices it, and it takes
/// no time of the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A server, for as long as the program runs.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// Listens on 127.0.0.1 and this port, 0 for any that is free, and answers from then on.
    ///
    /// # Errors
    ///
    /// If the port is taken, or is not for this user.
    pub fn start(port: u16, feed: Feed) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let serving = move || serve(&listener, &feed, address.port());
        thread::Builder::new().name("view".to_owned()).spawn(serving)?;
        Ok(Self { address })
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// On which port it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

/// Gives each connection a thread, as long as the program runs.
fn serve(listener: &TcpListener, feed: &Feed, port: u16) {
    let count = Arc::new(AtomicUsize::new(0));
    let mut is_said = false;
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // At the limit of open files the connection stays, and accepting it fails again at once.
                if !std::mem::replace(&mut is_said, true) {
                    say(&format!(
                        "the page takes no more connections for now: {error}; close some of its windows, or raise \
                         `ulimit -n`"
                    ));
                }
                thread::park_timeout(ACCEPT_PAUSE);
                continue;
            }
        };
        let place = Seat::take(&count);
        let feed = feed.clone();
        let work = move || {
            // A browser may go away at any time.
            let _ = answer(stream, &feed, port, place.is_some());
            drop(place);
        };
        // Without a thread the connection is closed, and the browser asks again.
        let _ = thread::Builder::new().name("view".to_owned()).spawn(work);
    }
}

/// One of the connections that there may be.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let seat = Self(count.clone());
        (count.fetch_add(1, Ordering::Relaxed) < CONNECTIONS_MAX).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(mut stream: TcpStream, feed: &Feed, port: u16, has_seat: bool) -> io::Result<()> {
    let deadline = now() + REQUEST_TIMEOUT;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    if !has_seat {
        return refuse(&mut stream, "503 Service Unavailable", "too many browsers look on already");
    }
    let set_timeout = TcpStream::set_read_timeout;
    let request = match read_request(&mut Until { stream: &stream, set_timeout, deadline }) {
        Ok(request) => request,
        Err(error) => return refuse(&mut stream, "400 Bad Request", &error.to_string()),
    };
    match route(&request, port) {
        Ok(Route::Page) => {
            let page = feed.page()?;
            let length = page.len();
            let head = head("200 OK", "text/html; charset=utf-8");
            write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
            stream.write_all(&page)
        }
        Ok(Route::Events) => tell(&mut stream, feed),
        Err((status, why)) => refuse(&mut stream, status, why),
    }
}

fn head(status: &str, kind: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n"
    )
}

fn refuse(stream: &mut TcpStream, status: &str, why: &str) -> io::Result<()> {
    let head = head(status, "text/plain; charset=utf-8");
    let length = why.len() + 1;
    write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{why}\n")
}

// -----------------------------------------------------------------------------------------------
// Requests

#[derive(Debug, Eq, PartialEq)]
struct Request {
    method: String,
    path: String,
    host: String,
}

#[derive(Debug, Eq, PartialEq)]
enum Route {
    Page,
    Events,
}

#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("the request did not arrive: {0}")]
    Io(#[from] io::Error),
    #[error("this is not a request of HTTP ({0})")]
    Malformed(#[from] httparse::Error),
    #[error("the request is longer than {REQUEST_MAX} bytes")]
    TooLong,
}

fn read_request(from: &mut impl Read) -> Result<Request, RequestError> {
    let mut bytes = vec![0; REQUEST_MAX];
    let mut length = 0;
    loop {
        let read = from.read(&mut bytes[length..])?;
        if read == 0 {
            let full = length == REQUEST_MAX;
            let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(if full { RequestError::TooLong } else { gone.into() });
        }
        length += read;
        if let Some(request) = parse(&bytes[..length])? {
            return Ok(request);
        }
    }
}

/// Reads the head of a request, if it is complete.
fn parse(bytes: &[u8]) -> Result<Option<Request>, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    if request.parse(bytes)?.is_partial() {
        return Ok(None);
    }
    let (method, path) = (request.method.unwrap_or(""), request.path.unwrap_or(""));
    let host = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case("host"));
    let host = host.map_or("".into(), |field| String::from_utf8_lossy(field.value));
    let (method, path, host) = (method.to_owned(), path.to_owned(), host.into_owned());
    Ok(Some(Request { method, path, host }))
}

/// What is asked for, or the status and the reason of a refusal.
fn route(request: &Request, port: u16) -> Result<Route, (&'static str, &'static str)> {
    let is_ours = |name: &str| ["127.0.0.1", "localhost"].contains(&name);
    let is_us = match request.host.rsplit_once(':') {
        Some((name, number)) => is_ours(name) && number.parse() == Ok(port),
        // The port of HTTP is not said.
        None => is_ours(&request.host) && port == 80,
    };
    if !is_us {
        return Err(("421 Misdirected Request", "this server answers as 127.0.0.1 only"));
    }
    if request.method != "GET" {
        return Err(("405 Method Not Allowed", "there is nothing here but to look at"));
    }
    match request.path.split('?').next() {
        Some("/") => Ok(Route::Page),
        Some("/events") => Ok(Route::Events),
        _ => Err(("404 Not Found", "there are only / and /events here")),
    }
}

// -----------------------------------------------------------------------------------------------
// Events

/// Tells what has happened and what happens, until the run ends or the browser goes away.
fn tell(stream: &mut TcpStream, feed: &Feed) -> io::Result<()> {
    let head = head("200 OK", "text/event-stream");
    write!(stream, "{head}Connection: close\r\n\r\nevent: begin\ndata: {{}}\n\n")?;
    let mut place = Place::default();
    loop {
        let News { chunks, status, ended } = feed.news(&mut place, HEARTBEAT);
        let mut text = String::new();
        for chunk in chunks {
            text.push_str(&message("chunk", &chunk));
        }
        // Behind the events that it speaks of.
        if let Some(status) = status {
            text.push_str(&message("status", &status));
        }
        if text.is_empty() {
            text.push_str(": nothing new\n\n");
        }
        stream.write_all(text.as_bytes())?;
        if ended {
            return Ok(());
        }
    }
}

/// JSON has no line breaks, so it is one line of data.
fn message(name: &str, json: &str) -> String {
    format!("event: {name}\ndata: {json}\n\n")
}

#[cfg(test)]
mod tests;
