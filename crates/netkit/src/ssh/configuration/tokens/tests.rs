use super::*;

fn tokens() -> Tokens {
    Tokens {
        given: "lab".to_owned(),
        name: "lab.example.org".to_owned(),
        port: 2222,
        user: "student".to_owned(),
        alias: None,
    }
}

#[test]
fn tokens_are_replaced_as_ssh_does() {
    let home = this_user().unwrap().dir;
    let home = home.to_str().unwrap();
    let table = [
        ("/k", "/k".to_owned()),
        ("~/k", format!("{home}/k")),
        ("~", home.to_owned()),
        ("/a~/b", "/a~/b".to_owned()),
        ("%d/k%%1", format!("{home}/k%1")),
        ("/%n-%h-%p-%r", "/lab-lab.example.org-2222-student".to_owned()),
        ("/%k/%i", format!("/lab/{}", getuid())),
        ("/key#1 $x", "/key#1 $x".to_owned()),
        ("/x${PATH}", format!("/x{}", std::env::var("PATH").unwrap())),
    ];
    for (value, path) in table {
        let found = tokens().path(OsStr::new(value)).unwrap();
        assert_eq!(found.to_str(), Some(path.as_str()), "{value}");
    }
    let odd = OsStr::from_bytes(b"/k\xfc");
    assert_eq!(tokens().path(odd).unwrap().as_os_str(), odd);
}

#[test]
fn what_stands_for_nothing_is_named() {
    let table = [
        ("/%x", "netkit knows no %x"),
        ("/%", "a % stands at its end"),
        ("/${NO_SUCH_VARIABLE}/k", "the variable NO_SUCH_VARIABLE is not set"),
        ("/${HOME", "a ${ is not closed in it"),
        ("~no-such-user/k", "there is no user ~no-such-user"),
    ];
    for (value, error) in table {
        assert_eq!(tokens().path(OsStr::new(value)), Err(error.to_owned()), "{value}");
    }
}
