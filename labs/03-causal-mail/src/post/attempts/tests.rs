use super::super::now;
use super::*;

fn address(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

#[test]
fn turns_go_round_by_address_and_by_name() {
    let mut waiting = Waiting::default();
    for guess in 0..3 {
        waiting.push(address(1), "bob", format!("guess {guess}"));
    }
    waiting.push(address(1), "alice", "alice".to_owned());
    waiting.push(address(2), "bob", "bob".to_owned());
    let order: Vec<_> = std::iter::from_fn(|| waiting.take()).collect();
    assert_eq!(order, ["guess 0", "bob", "alice", "guess 1", "guess 2"]);
    assert_eq!(waiting.length, 0);
}

#[test]
fn what_is_forgotten_makes_room() {
    let mut waiting = Waiting::default();
    for n in 0..ATTEMPTS_MAX {
        waiting.push(address((n % 3) as u8), if n % 2 == 0 { "alice" } else { "bob" }, n);
    }
    assert!(waiting.is_full());
    waiting.forget(|&n| n != 7);
    assert!(!waiting.is_full());
    assert_eq!((waiting.take(), waiting.take(), waiting.length), (Some(7), None, 0));
}

#[test]
fn each_wrong_password_is_answered_later_and_one_name_pays_for_itself() {
    let (mut penalties, at) = (Penalties::default(), now());
    let mut of = |n, name: &str, at| penalties.of_wrong(address(n), name, at).as_millis();
    let growing: Vec<_> = (0..8).map(|_| of(1, "bob", at)).collect();
    assert_eq!(growing, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!((of(2, "bob", at), of(1, "alice", at)), (100, 100));
    assert_eq!(of(1, "bob", at + MEMORY * 2), 100);
    penalties.forget(address(1), "alice");
    assert_eq!(penalties.of_wrong(address(1), "alice", at), PENALTY);
    for n in 0..3 * REMEMBERED_MAX {
        penalties.of_wrong(address(3), &n.to_string(), at);
    }
    assert_eq!(penalties.wrong.len(), REMEMBERED_MAX);
}

#[test]
fn one_machine_is_one_network_whatever_address_it_takes() {
    let network = |text: &str| network(text.parse().unwrap());
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    assert_eq!(network("::ffff:192.0.2.1"), address(1));
}
