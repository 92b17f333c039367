use super::*;

const ONE: ProcessId = ProcessId(3);

#[test]
fn a_change_is_open_until_it_is_noted() {
    let mut told = Told::default();
    let first = told.change(ONE);
    assert_eq!(told.open().collect::<Vec<_>>(), [first]);
    let second = told.change(ONE);
    assert_eq!(told.open().collect::<Vec<_>>(), [second], "one for each process");
    told.note(first);
    assert_eq!(told.open().count(), 1, "it was overtaken");
    told.note(second);
    assert_eq!(told.open().count(), 0);
}

#[test]
fn order_and_copies_make_no_difference() {
    let changes = [(1, true), (2, false), (3, true)];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut heard = Heard::default();
        for index in order.into_iter().chain(order) {
            let (number, suspected) = changes[index];
            heard.hear(Change { process: ONE, number }, suspected);
        }
        assert!(heard.is_suspected(ONE), "{order:?}");
        assert!(!heard.hear(Change { process: ONE, number: 3 }, true));
    }
}
