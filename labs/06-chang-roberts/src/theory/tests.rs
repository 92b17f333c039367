use proptest::prelude::*;

use super::*;

/// By definition: each initiator's identity, hop by hop.
fn by_walking(ring: &[(u64, bool)]) -> u64 {
    let n = ring.len();
    let hops = |from: usize| {
        let stops = |hop: &usize| {
            let (identity, initiates) = ring[(from + hop) % n];
            initiates && identity > ring[from].0
        };
        (1..n).find(stops).unwrap_or(n) as u64
    };
    (0..n).filter(|&from| ring[from].1).map(hops).sum()
}

/// All orders of the numbers below `n`.
fn orders(n: u64) -> Vec<Vec<u64>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let inserted = orders(n - 1).into_iter().flat_map(|order| {
        (0..=order.len()).map(move |place| {
            let mut longer = order.clone();
            longer.insert(place, n - 1);
            longer
        })
    });
    inserted.collect()
}

proptest! {
    #[test]
    fn the_stack_counts_as_walking_does(
        identities in proptest::collection::btree_set(any::<u64>(), 2..40),
        order in any::<prop::sample::Index>(),
        initiators in any::<u64>(),
    ) {
        let n = identities.len() as u32;
        let mut sorted: Vec<u64> = identities.into_iter().collect();
        let seed = order.index(1 << 20) as u64;
        sorted.sort_by_key(|identity| (identity ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let ring: Vec<_> = (0..).zip(sorted).map(|(i, id)| (id, initiators >> i & 1 == 1)).collect();
        let k = ring.iter().filter(|one| one.1).count() as u32;
        prop_assert_eq!(elections(&ring), by_walking(&ring));
        if k > 0 {
            prop_assert!((best(n, k)..=worst(n, k)).contains(&elections(&ring)));
        }
    }
}

/// Best, worst and mean over really all orders of seven, all or some of them initiating.
#[test]
fn bounds_and_mean_are_those_of_all_orders() {
    let (n, orders) = (7_u32, orders(7));
    for k in 1..=n {
        let (mut count, mut sum, mut least, mut most) = (0, 0, u64::MAX, 0);
        for places in (0_u32..1 << n).filter(|places| places.count_ones() == k) {
            for order in &orders {
                let ring: Vec<_> =
                    (0..).zip(order).map(|(i, &id)| (id, places >> i & 1 == 1)).collect();
                let elections = elections(&ring);
                (count, sum) = (count + 1, sum + elections);
                (least, most) = (least.min(elections), most.max(elections));
            }
        }
        assert_eq!((least, most), (best(n, k), worst(n, k)), "{k} initiators");
        let measured = sum as f64 / f64::from(count);
        assert!((measured - mean(n, k)).abs() < 1e-9, "{k}: {measured} {}", mean(n, k));
    }
}
