use super::*;

#[test]
fn each_place_is_another_after_a_permutation() {
    for n in (1..70).chain([1_000, 4_096, 10_007]) {
        for seed in 0..5 {
            let mut places: Vec<_> = (0..n).map(|place| shuffled(seed, n, place)).collect();
            places.sort_unstable();
            assert_eq!(places, (0..n).collect::<Vec<_>>());
        }
    }
}

/// All orders of three are about equally likely: of 6,000 seeds each has about a thousand.
#[test]
fn all_permutations_come_up() {
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..6_000 {
        *counts.entry([0, 1, 2].map(|place| shuffled(seed, 3, place))).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 6);
    assert!(counts.values().all(|count| (850..1_150).contains(count)), "{counts:?}");
}

#[test]
fn so_many_initiate_as_asked() {
    for count in 1..=9 {
        let identities = Identities { initiators: count, ..Identities::random(9, 3) };
        assert_eq!(identities.round_the_ring().filter(|one| one.1).count(), count as usize);
    }
}

#[test]
fn the_order_is_that_of_the_messages() {
    let of = |order| -> Vec<u64> {
        let identities = Identities { order, ..Identities::random(4, 0) };
        identities.round_the_ring().map(|one| one.0).collect()
    };
    assert_eq!(of(Order::Sorted), [1, 2, 3, 4]);
    assert_eq!(of(Order::Reverse), [4, 3, 2, 1]);
}

#[test]
fn a_file_has_one_number_for_each_and_none_twice() {
    assert_eq!(read("7 8\n9\n", 3), Ok(vec![7, 8, 9]));
    assert_eq!(read("7 8", 3), Err("2 identities for 3 processes".to_owned()));
    assert!(read("7 8 7", 3).unwrap_err().starts_with("7 stands in it twice"));
    assert!(read("7 -8 9", 3).unwrap_err().starts_with("\"-8\" is not a whole number"));
}
