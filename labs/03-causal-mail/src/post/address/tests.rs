use super::*;

#[test]
fn addresses_are_names_in_domains() {
    let address: Address = "Alice.B+c@Lab-1.example.ORG".parse().unwrap();
    assert_eq!((address.name(), address.domain()), ("alice.b+c", "lab-1.example.org"));
    assert_eq!(address.to_string(), "alice.b+c@lab-1.example.org");
}

#[test]
fn what_is_no_address_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "write NAME@DOMAIN"),
        ("alice", "write NAME@DOMAIN"),
        ("a@b@c", "write NAME@DOMAIN"),
        ("@a.org", "no name of a box"),
        (".hidden@a.org", "no name of a box"),
        ("../../etc@a.org", "no name of a box"),
        ("a/b@a.org", "no name of a box"),
        ("al\nice@a.org", "no name of a box"),
        ("zoë@a.org", "no name of a box"),
        ("alice@", "no domain"),
        ("alice@a..org", "no domain"),
        ("alice@a.org/..", "no domain"),
    ] {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text:?}: {error}");
    }
    assert!(Address::new(&"a".repeat(65), "a.org").is_err());
    assert!(Address::new("a", &"a".repeat(DOMAIN_MAX + 1)).is_err());
}
