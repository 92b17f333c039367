use super::*;

fn request(method: &str, path: &str, host: &str) -> Request {
    Request { method: method.into(), path: path.into(), host: host.into() }
}

#[test]
fn a_request_is_read_however_it_is_split() {
    let bytes = b"GET /events?x HTTP/1.1\r\nhost: 127.0.0.1:80\r\nAccept: */*\r\n\r\n";
    for at in 1..bytes.len() {
        let (a, b) = bytes.split_at(at);
        let read = read_request(&mut a.chain(b)).unwrap();
        assert_eq!(read, request("GET", "/events?x", "127.0.0.1:80"), "split at {at}");
    }
}

#[test]
fn a_slow_request_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let begin = now();
    let slow = thread::spawn(move || {
        while client.write_all(b"X").is_ok() && begin.elapsed() < Duration::from_secs(20) {
            thread::park_timeout(Duration::from_millis(20));
        }
    });
    let deadline = begin + Duration::from_millis(200);
    let set_timeout = TcpStream::set_read_timeout;
    let mut until = Until { stream: &stream, set_timeout, deadline };
    let error = read_request(&mut until).unwrap_err();
    assert!(matches!(error, RequestError::Io(_)), "{error}");
    drop(stream);
    slow.join().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_is_no_request_is_refused() {
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_MAX));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(FIELDS_MAX + 1));
    let bad: [&[u8]; 5] =
        [b"", b"GET / HTTP/1.1\r\n", b"\xff\xfe\r\n\r\n", long.as_bytes(), many.as_bytes()];
    for bytes in bad {
        assert!(read_request(&mut &*bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn only_who_means_this_machine_is_answered() {
    let route = |path: &str, host: &str| route(&request("GET", path, host), 8080);
    assert_eq!(route("/", "127.0.0.1:8080"), Ok(Route::Page));
    assert_eq!(route("/events?1", "localhost:8080"), Ok(Route::Events));
    for host in ["evil.example", "evil.example:8080", "127.0.0.1:81", "127.0.0.1", ":8080", ""] {
        assert_eq!(route("/", host).unwrap_err().0, "421 Misdirected Request", "{host}");
    }
    // Browsers leave out the port of HTTP.
    assert_eq!(super::route(&request("GET", "/", "localhost"), 80), Ok(Route::Page));
    assert!(super::route(&request("GET", "/", "evil.example"), 80).is_err());
    assert_eq!(route("/../etc/passwd", "localhost:8080").unwrap_err().0, "404 Not Found");
    let post = request("POST", "/", "localhost:8080");
    assert_eq!(super::route(&post, 8080).unwrap_err().0, "405 Method Not Allowed");
}

#[test]
fn seats_are_limited_and_given_back() {
    let count = Arc::new(AtomicUsize::new(0));
    let seats: Vec<_> = (0..CONNECTIONS_MAX).map(|_| Seat::take(&count).unwrap()).collect();
    assert!(Seat::take(&count).is_none());
    drop(seats);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert!(Seat::take(&count).is_some());
}
