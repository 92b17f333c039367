//! Connections between two loops, and between a loop and a bare socket.

use netkit::{Admission, Limits, Outgoing};

mod common;
use common::{Seen, Side, both, member, secret};

#[test]
fn members_greet_each_other_and_exchange_values() {
    let secret = secret();
    let mut a = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Frame(id, body) = seen {
            let (text, n): (String, u32) = netkit::codec::decode(body).expect("what was sent");
            net.send_value(*id, &(text, n + 1)).expect("open");
        }
    });
    let address = a.listen(Admission::Members(member(&secret, 1)));
    let mut b = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Open(id, _) = seen {
            net.send_value(*id, &("hello", 41u32)).expect("open");
        }
    });
    let to = Outgoing::Member { membership: member(&secret, 0), to: 1 };
    let id = b.net.connect(address, to).expect("begun");
    both(&mut a, &mut b, |_, b| !b.frames().is_empty());

    let answer: (String, u32) = netkit::codec::decode(b.recorder.frames()[0]).expect("a value");
    assert_eq!(answer, ("hello".to_string(), 42));
    let Seen::Open(_, peer) = &a.recorder.seen[0] else { panic!("not opened first") };
    assert_eq!((peer.rank, peer.incoming, peer.local), (Some(0), true, address));
    let Seen::Open(opened, peer) = &b.recorder.seen[0] else { panic!("not opened first") };
    assert_eq!((*opened, peer.rank, peer.incoming), (id, Some(1), false));
    assert_eq!(peer.address, address);
}
