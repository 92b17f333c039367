use super::*;

#[test]
fn work_is_done_by_as_many_as_there_can_be() {
    for most in [0, 1, 5] {
        let done = Mutex::new(0);
        in_several(most, "test", || {
            *done.lock().unwrap() += 1;
        });
        assert_eq!(done.into_inner().unwrap(), most);
    }
    let doubled = map(&[1, 2, 3, 4], 2, |number| number * 2);
    assert_eq!(doubled, [2, 4, 6, 8]);
    check_room(3).unwrap();
}

#[test]
fn what_this_machine_is_short_of_has_a_way_out() {
    let of = |errno: Errno| way_out(&io::Error::from(errno));
    assert!(of(Errno::EAGAIN).unwrap().contains("ulimit -u"));
    assert!(of(Errno::EMFILE).unwrap().contains("ulimit -n"));
    assert_eq!(of(Errno::ENOENT), None);
    let error = explained(Errno::EAGAIN.into());
    assert!(error.to_string().starts_with("cannot start a thread: "), "{error}");
    assert!(error.to_string().contains("(os error 11); end other programs"), "{error}");
}
