use super::*;

fn read(text: &str) -> Result<Servers, ServersError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Servers::read(file.path())
}

#[test]
fn ranks_do_not_depend_on_the_order_of_lines() {
    let servers = read("127.0.0.1:7002:b.org # second\n\n[::1]:7001:A.org\n").unwrap();
    assert_eq!(servers, read("[::1]:7001:a.org\n127.0.0.1:7002:b.org").unwrap());
    let ranks = ["a.org", "b.org"].map(|domain| servers.rank(domain, Path::new("f")).unwrap());
    assert_eq!(ranks, [0, 1]);
    assert_eq!(servers.domain(1), Some("b.org"));
    assert_eq!(servers.addresses("a.org").unwrap(), ["[::1]:7001".parse().unwrap()]);
    assert!(servers.addresses("c.org").is_err());
    let error = servers.rank("c.org", Path::new("f")).unwrap_err().to_string();
    assert_eq!(error, "f does not name the domain c.org: add a line for it");
}

#[test]
fn lines_end_as_on_any_system_and_a_mark_is_no_name() {
    let servers = read("\u{feff}127.0.0.1:7001:a.org\r\n[fe80::1%eth0]:7002:b.org\r\n").unwrap();
    assert_eq!(servers.0["a.org"], ("127.0.0.1".to_owned(), 7001));
    assert_eq!(servers.0["b.org"], ("fe80::1%eth0".to_owned(), 7002));
}

#[test]
fn a_wrong_line_is_named() {
    for (text, why) in [
        ("a:b", "too few parts"),
        ("h:0:a.org", "from 1 to 65535"),
        ("h:x:a.org", "from 1 to 65535"),
        (":7000:a.org", "no host"),
        ("h:7000:a/b", "no domain"),
        ("h:7000:a.org\nh:7001:a.org", "twice"),
        ("http://h:7000:a.org", "\"http://h\" is no host"),
        ("lab one:7000:a.org", "\"lab one\" is no host"),
        ("lab\u{200b}1:7000:a.org", "\"lab\\u{200b}1\" is no host"),
        ("-x:7000:a.org", "no host"),
        ("1:2:3:7000:a.org", "no host"),
        ("h:7000:a.org\u{feff}", "no domain"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("line ") && error.contains(why), "{text:?}: {error}");
    }
}
