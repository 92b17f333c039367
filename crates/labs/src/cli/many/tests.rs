use super::*;

/// Makes runs whose result is their number; the search ends at each of `bad`. Returns the numbers that were taken.
fn taken(runs: u64, jobs: usize, bad: &[u64]) -> Vec<u64> {
    let mut taken = Vec::new();
    let worker = || -> Work<'_, u64> {
        Box::new(|number, numbers| {
            // Those that end the search take longer than others.
            let mut turns = if bad.contains(&number) { 20_000 } else { 10 };
            while turns > 0 && !numbers.is_abandoned(number) {
                turns -= 1;
            }
            (!numbers.is_abandoned(number)).then_some(number)
        })
    };
    let wanted = Wanted { runs, jobs, is_over: &mut |_| false };
    let take = &mut |number, result| {
        assert_eq!(number, result);
        taken.push(number);
    };
    let over = until(&mut || false, wanted, &worker, &|number| bad.contains(number), take);
    assert_eq!(over.unwrap(), Over::Done);
    taken
}

#[test]
fn results_come_in_order_however_many_work() {
    for jobs in [1, 2, 7] {
        assert_eq!(taken(500, jobs, &[]), (0..500).collect::<Vec<_>>(), "{jobs} threads");
    }
    assert_eq!(taken(0, 3, &[]), [0; 0]);
}

#[test]
fn the_lowest_run_that_ends_the_search_is_the_last() {
    for jobs in [1, 2, 7] {
        for bad in [&[0][..], &[137, 138, 139], &[300, 41, 42]] {
            let lowest = *bad.iter().min().unwrap();
            assert_eq!(taken(500, jobs, bad), (0..=lowest).collect::<Vec<_>>(), "{jobs} threads");
        }
    }
}

#[test]
fn no_run_is_far_ahead_of_the_lowest_that_goes_on() {
    let numbers = Numbers::new(u64::MAX);
    let ahead = (0..AHEAD_MAX).map(|_| numbers.next()).last().flatten();
    assert_eq!(ahead, Some(AHEAD_MAX - 1));
    thread::scope(|scope| {
        let next = scope.spawn(|| numbers.next());
        assert!(!next.is_finished());
        numbers.take();
        assert_eq!(next.join().unwrap(), Some(AHEAD_MAX));
    });
}

#[test]
fn what_was_begun_is_finished_when_time_is_over() {
    for by_signal in [false, true] {
        let mut taken = Vec::new();
        let worker = || -> Work<'_, ()> { Box::new(|_, _| Some(())) };
        let mut is_over = |ended| !by_signal && ended > 100;
        let wanted = Wanted { runs: u64::MAX, jobs: 3, is_over: &mut is_over };
        let mut looks = 0;
        let mut interrupted = || {
            looks += 1;
            by_signal && looks > 10
        };
        let take = &mut |number, ()| taken.push(number);
        let over = until(&mut interrupted, wanted, &worker, &|()| false, take).unwrap();
        assert_eq!(over, if by_signal { Over::Interrupted } else { Over::Time });
        assert_eq!(taken, (0..taken.len() as u64).collect::<Vec<_>>());
        assert!(!taken.is_empty());
    }
}
