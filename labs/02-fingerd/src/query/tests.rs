use super::*;

fn asks(verbose: bool, login: &str) -> Result<Query, Refused> {
    let login = (!login.is_empty()).then(|| Login(login.to_owned()));
    Ok(Query { verbose, login })
}

#[test]
fn the_grammar_as_a_table() {
    let longest = "a".repeat(32);
    for (line, query) in [
        // {Q1}
        (&b"\r"[..], asks(false, "")),
        (b"", asks(false, "")),
        (b"/W\r", asks(true, "")),
        (b"/W \r", asks(true, "")),
        (b"/w", asks(true, "")),
        (b"alice\r", asks(false, "alice")),
        (b"alice", asks(false, "alice")),
        (b" alice  \r", asks(false, "alice")),
        (b"/W alice\r", asks(true, "alice")),
        (b"/W   alice\r", asks(true, "alice")),
        (b"_a.b-C9\r", asks(false, "_a.b-C9")),
        (b"W\r", asks(false, "W")),
        (longest.as_bytes(), asks(false, &longest)),
        // {Q2}
        (b"@host\r", Err(Refused::Forwarding)),
        (b"alice@host\r", Err(Refused::Forwarding)),
        (b"/W alice@host1@host2\r", Err(Refused::Forwarding)),
        (b"/W @host\r", Err(Refused::Forwarding)),
        (b"$(id)@host\r", Err(Refused::Forwarding)),
    ] {
        assert_eq!(Query::parse(line), query, "{}", line.escape_ascii());
    }
}

#[test]
fn what_a_shell_a_path_or_an_option_would_understand_is_no_login() {
    let too_long = "a".repeat(33);
    for line in [
        &b"; rm -rf ~"[..],
        b"alice; id",
        b"$(id)",
        b"`id`",
        b"a|id",
        b"a&id",
        b"a>b",
        b"-l",
        b"--help",
        b"/W -l",
        b"/Walice",
        b"/etc/passwd",
        b"../../etc/passwd",
        b".",
        b"..",
        b"a\0",
        b"\0",
        b"a\rb",
        b"a\r\r",
        b"a\tb",
        b"alice bob",
        b"a*",
        b"~root",
        "renée".as_bytes(),
        b"\xff",
        b"\x1b[2J",
        too_long.as_bytes(),
    ] {
        assert_eq!(Query::parse(line), Err(Refused::NotALogin), "{}", line.escape_ascii());
    }
}
