use super::*;

fn pair() -> (UdpSocket, UdpSocket) {
    let server = sockets::bind_udp("127.0.0.1", 0).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    (server, client)
}

// On loopback a datagram has arrived when `send` returns, so nobody has to wait.
#[test]
fn what_is_cut_off_is_known_to_the_byte() {
    let (server, client) = pair();
    let from = client.local_addr().unwrap();
    let mut buffer = [0; 4];
    for (sent, line) in [
        (&b""[..], "0 bytes: "),
        (b"abc", "3 bytes: abc"),
        (b"abcd", "4 bytes: abcd"),
        (b"abcde", "5 bytes, the last 1 lost (--buffer 4): abcd"),
        (&[b'x'; 9000], "9000 bytes, the last 8996 lost (--buffer 4): xxxx"),
        (b"\x1b[2J", "4 bytes: \\u{1b}[2J"),
        // A character is cut in two.
        ("abcé".as_bytes(), "5 bytes, the last 1 lost (--buffer 4): abc\\xc3"),
    ] {
        client.send(sent).unwrap();
        let datagram = receive(&server, &mut buffer).unwrap().unwrap();
        assert_eq!(datagram.line(), format!("{from} {line}"));
    }
    assert!(receive(&server, &mut buffer).unwrap().is_none());
}
