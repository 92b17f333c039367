use std::net::{SocketAddr, TcpListener};

use super::*;

fn options(port: u16, patience: Duration) -> Options {
    Options {
        host: "127.0.0.1".to_owned(),
        port,
        address: "alice@a.org".parse().unwrap(),
        password: String::new(),
        order: Order::Causal,
        patience,
    }
}

/// The system would wait for two minutes for a machine that drops what comes.
#[test]
fn no_connection_takes_longer_than_the_patience() {
    let full = netkit::sockets::listen_tcp("127.0.0.1", 0, 0).unwrap();
    let address = full.local_addr().unwrap();
    let short = Duration::from_millis(200);
    // Nobody accepts: once the queue is full, more are not answered.
    let fill = |address: &SocketAddr| TcpStream::connect_timeout(address, short).ok();
    let _queued: Vec<_> = std::iter::from_fn(|| fill(&address)).collect();
    let begun = now();
    let error = Session::open(options(address.port(), short)).unwrap_err().to_string();
    assert!(error.contains(": no answer in time; the machine is off"), "{error}");
    assert!(begun.elapsed() < CONNECT_MIN * 10, "{:?}", begun.elapsed());
}

/// A server that has closed the connection resets it, and nothing can be written to it: what
/// the server said last is still there.
#[test]
fn the_last_word_is_heard_on_a_connection_that_is_reset() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = options(port, Duration::ZERO);
    let knowledge = Knowledge::new(options.address.clone(), Default::default());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.peek(&mut [0]).unwrap();
        write_frame(&mut stream, &ToClient::Opened { knowledge }).unwrap();
        write_frame(&mut stream, &ToClient::Evicted).unwrap();
        // It closes with the password unread: that is a reset.
    });
    let mut session = Session::open(options).unwrap();
    server.join().unwrap();
    assert!(matches!(session.fetch(), Err(SessionError::Evicted(_))));
}
