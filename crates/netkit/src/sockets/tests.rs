use super::*;

fn message<T>(result: Result<T, SocketError>) -> String {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error.to_string(),
    }
}

fn says(kind: i32, transport: Transport, port: u16) -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    SocketError::bind(transport, address, io::Error::from_raw_os_error(kind)).to_string()
}

#[test]
fn every_error_says_what_failed_why_and_what_to_do() {
    assert_eq!(
        says(libc::EACCES, Transport::Tcp, 23),
        "cannot listen on tcp 127.0.0.1:23: permission denied; ports below 1024 are for root (or \
             CAP_NET_BIND_SERVICE); take one from 1024 on with --port"
    );
    assert_eq!(
        says(libc::EADDRNOTAVAIL, Transport::Udp, 9875),
        "cannot listen on udp 127.0.0.1:9875: cannot assign requested address; this machine has \
             no such address; `ip address` lists those it has"
    );
    let error = io::Error::from_raw_os_error(libc::EHOSTUNREACH);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7));
    assert_eq!(
        SocketError::connect(Transport::Tcp, address, error).to_string(),
        "cannot reach tcp 127.0.0.1:7: no route to host; check the address, and the network of \
             this machine with `ip route`"
    );
}

#[test]
fn a_port_in_use_is_named_with_the_command_that_finds_its_owner() {
    let tcp = listen_tcp("127.0.0.1", 0, 1).unwrap();
    let port = tcp.local_addr().unwrap().port();
    assert_eq!(
        message(listen_tcp("127.0.0.1", port, 1)),
        format!(
            "cannot listen on tcp 127.0.0.1:{port}: address already in use; another program has \
                 that port; `ss -ltnp 'sport = :{port}'` names it; end it, or take another --port"
        )
    );
    let udp = bind_udp("127.0.0.1", 0).unwrap();
    let port = udp.local_addr().unwrap().port();
    assert!(message(bind_udp("127.0.0.1", port)).contains("`ss -lunp "));
}

#[test]
fn a_refused_connection_and_an_unknown_host_are_told() {
    // It holds a port, and nobody listens there.
    let holder = bind_one(Transport::Tcp, (Ipv4Addr::LOCALHOST, 0).into(), |_| Ok(())).unwrap();
    let port = holder.local_addr().unwrap().as_socket().unwrap().port();
    assert_eq!(
        message(connect_tcp("127.0.0.1", port, KEEPALIVE)),
        format!(
            "cannot reach tcp 127.0.0.1:{port}: connection refused; nobody listens on that port; \
                 start the server there, or check the port"
        )
    );
    // No resolver is asked: a name may not be so long, nor have a space in it.
    let name = format!("a b{}\u{1b}", "c".repeat(300));
    let message = message(resolve(&name, 1));
    assert!(message.starts_with("a bccc"), "{message}");
    assert!(message.contains("c\\u{1b} has no address: "), "{message}");
}

#[test]
fn one_socket_serves_both_families_where_there_are_both() {
    let listener = listen_tcp(ANYWHERE, 0, 8).unwrap();
    let address = listener.local_addr().unwrap();
    let hosts = if address.is_ipv6() { &["127.0.0.1", "[::1]"][..] } else { &["127.0.0.1"] };
    listener.set_nonblocking(false).unwrap();
    for host in hosts {
        let stream = connect_tcp(host, address.port(), KEEPALIVE).unwrap();
        keep_alive(&stream).unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(plain(from), stream.local_addr().unwrap());
    }
}

#[test]
fn an_address_of_ipv6_serves_only_ipv6() {
    let Ok(listener) = listen_tcp("::1", 0, 8) else { return };
    assert!(SockRef::from(&listener).only_v6().unwrap());
}
