use std::net::TcpListener;
use std::thread;

use super::*;

/// What the client makes of a server that sends these pieces, each in a packet of its own, and
/// closes.
fn hear(pieces: &'static [&'static [u8]]) -> anyhow::Result<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_nodelay(true).unwrap();
    let server = thread::spawn(move || {
        for piece in pieces {
            // A client that has heard enough has closed.
            let _ = server.write_all(piece);
        }
    });
    let result = answer(&mut stream, Instant::now() + Duration::from_secs(20));
    server.join().unwrap();
    result
}

#[test]
fn an_acknowledgement_is_understood_however_it_is_split() {
    const SPLIT: [&[&[u8]]; 3] = [&[b"OK\n"], &[b"O", b"K\n"], &[b"O", b"K", b"\r", b"\n"]];
    for pieces in SPLIT {
        let Answer { bytes, reads, is_line } = hear(pieces).unwrap();
        assert_eq!((&bytes[..], is_line), (&b"OK"[..], true));
        assert!((1..=pieces.len()).contains(&reads), "{reads}");
    }
    assert_eq!(hear(&[b"OK\r\nand more"]).unwrap().bytes, b"OK");
}

#[test]
fn an_answer_without_an_end_of_line_ends_with_the_stream_or_a_pause() {
    let closed = hear(&[b"O", b"K"]).unwrap();
    assert_eq!((&closed.bytes[..], closed.is_line), (&b"OK"[..], false));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"OK").unwrap();
    let begin = Instant::now();
    let open = answer(&mut stream, begin + Duration::from_secs(20)).unwrap();
    assert_eq!((&open.bytes[..], open.reads, open.is_line), (&b"OK"[..], 1, false));
    assert!(begin.elapsed() >= PAUSE);
    drop(server);
}

#[test]
fn what_is_no_answer_is_told() {
    let error = |pieces| hear(pieces).unwrap_err().to_string();
    assert_eq!(error(&[]), "it closed the connection");
    assert_eq!(error(&[&[b'x'; 5000]]), "its answer has no end within 1024 bytes");
}
