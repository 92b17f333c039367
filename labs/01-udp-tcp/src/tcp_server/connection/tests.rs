use std::net::TcpListener;

use socket2::SockRef;

use super::*;

/// A client, and a server's connection to it whose buffers hold little.
fn pair() -> (std::net::TcpStream, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Inherited by what is accepted, and settled before any window is announced.
    SockRef::from(&listener).set_send_buffer_size(4096).unwrap();
    SockRef::from(&listener).set_recv_buffer_size(1 << 16).unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    SockRef::from(&client).set_send_buffer_size(1 << 15).unwrap();
    let (server, peer) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    let server = TcpStream::from_std(server);
    (client, Connection::new(server, peer, 100, Acknowledge::Line))
}

#[test]
fn who_takes_no_answers_is_not_read_from_until_it_does() {
    const BUFFER: usize = 64;
    let (mut client, mut server) = pair();
    let (mut served, mut buffer, mut out) = (Served::default(), [0; BUFFER], Vec::new());
    let mut sent = 0;
    client.set_nonblocking(true).unwrap();
    // Until neither side can go on.
    loop {
        let wrote = client.write(&[b'\n'; 4096]).ok();
        sent += wrote.unwrap_or(0);
        let received = served.bytes;
        out.clear();
        while let Next::Step = server.step(&mut buffer, &mut served, &mut out) {}
        assert!(server.owed.len() <= 3 * BUFFER, "{} bytes pile up", server.owed.len());
        if wrote.is_none() && served.bytes == received && !server.owed.is_empty() {
            break;
        }
        assert!(sent < 1 << 26, "it reads on and on");
    }
    assert!(served.bytes < sent as u64, "{sent} bytes were sent, and all were read");
    // It gets everything when it takes it.
    client.shutdown(Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    loop {
        // What there is; the server has more.
        let _ = client.read_to_end(&mut answers);
        match server.step(&mut buffer, &mut served, &mut out) {
            Next::Step | Next::Event => {}
            Next::End(End::Closed { received }) => {
                assert_eq!(received, sent as u64);
                break;
            }
            Next::End(other) => panic!("{other}"),
        }
    }
    drop(server);
    client.set_nonblocking(false).unwrap();
    client.read_to_end(&mut answers).unwrap();
    assert_eq!(answers, b"OK\n".repeat(sent));
}
