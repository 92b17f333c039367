use std::sync::Arc;

use labs::clocks::SparseMatrix;
use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use crate::causal_mail::Mail;
use crate::ordering::{Envelope, Order};
use Indication::Wrote;

/// Two servers, p0 and p1, and their users, p2 and p3: p2 writes mail 0 to p3, and p3 mail 1 to p2. And many mails more
/// of p2 to p3.
fn plan() -> Correspondence {
    let planned =
        |from, to| Planned { from: ProcessId(from), to: [ProcessId(to)].into(), after: None };
    let more = std::iter::repeat_n(planned(2, 3), 10);
    let mails = [planned(2, 3), planned(3, 2)].into_iter().chain(more).collect();
    Correspondence { servers: 2, users: 2, mails }
}

fn handover() -> Story {
    Story::of(4, Property::safety("handover", Handover::new(&plan())))
}

fn mail(number: u32) -> Mail {
    let Planned { from, to, .. } = plan().mails[number as usize].clone();
    let envelope = Envelope { from, to, clock: Arc::new(SparseMatrix::new()) };
    Mail { number, order: Order::Causal, envelope }
}

/// p2 writes mail 0, which comes as far as its server.
fn submitted() -> Story {
    let story = handover().tells(2, &Wrote(0)).passes_this(2, 0, &Message::Submit(1, mail(0)));
    story.sends_this(0, 2, &Message::Ack(1))
}

fn forwarded() -> Story {
    submitted().passes_this(0, 1, &Message::Forward(1, mail(0))).sends_this(1, 0, &Message::Ack(1))
}

#[test]
fn each_mail_goes_its_way_once() {
    let handed = || forwarded().passes_this(1, 3, &Message::Hand(1, mail(0)));
    assert_eq!(handed().sends_this(3, 1, &Message::Ack(1)).holds(), Some(true));
    assert_eq!(submitted().detail(), "p0 does not hand mail 0 to p1, as number 1");
    assert_eq!(forwarded().detail(), "p1 does not hand mail 0 to p3, as number 1");
    let back = forwarded().sends_this(1, 3, &Message::Hand(1, mail(0)));
    let back = back.sends_this(1, 0, &Message::Forward(1, mail(0)));
    assert_eq!(back.detail(), "p1 hands mail 0 to p0 as number 1, which is not due");
    let twice = submitted().sends_this(0, 1, &Message::Forward(1, mail(0)));
    let twice = twice.sends_this(0, 1, &Message::Forward(1, mail(0)));
    assert_eq!(twice.holds(), Some(false));
    let wrong = submitted().sends_this(0, 1, &Message::Hand(1, mail(0)));
    assert_eq!(wrong.detail(), "p0 hands a mail to p1 by HAND");
    let gap = submitted().sends_this(0, 1, &Message::Forward(2, mail(0)));
    assert_eq!(gap.holds(), Some(false));
}

#[test]
fn what_arrives_is_acknowledged_once_and_by_its_number() {
    let arrives = |number| {
        handover().tells(3, &Wrote(1)).passes_this(3, 1, &Message::Submit(number, mail(1)))
    };
    let answered = |number, up_to| {
        let story = arrives(number).sends_this(1, 3, &Message::Ack(up_to));
        story.sends_this(1, 0, &Message::Forward(1, mail(1)))
    };
    assert_eq!(answered(1, 1).holds(), Some(true));
    let wrong = "p1 acknowledges 2 to p3, and must acknowledge 1 to p3";
    assert_eq!(answered(1, 2).detail(), wrong);
    assert_eq!(arrives(1).detail(), "p1 acknowledges nothing, and must acknowledge 1 to p3");
    assert_eq!(answered(1, 1).sends_this(1, 3, &Message::Ack(1)).holds(), Some(false));
    let again = || {
        let story = forwarded().sends_this(1, 3, &Message::Hand(1, mail(0)));
        story.times_out(0, "Retry").passes_this(0, 1, &Message::Forward(1, mail(0)))
    };
    assert_eq!(again().sends_this(1, 0, &Message::Ack(1)).holds(), Some(true));
    assert_eq!(again().sends_this(1, 0, &Message::Ack(2)).holds(), Some(false), "it came before");
}

#[test]
fn what_is_not_acknowledged_is_sent_again_after_a_silence() {
    let sent = || submitted().sends_this(0, 1, &Message::Forward(1, mail(0)));
    let again = || sent().times_out(0, "Retry");
    assert_eq!(again().detail(), "p0 has heard nothing for too long, and sends nothing again");
    let repeated = || again().sends_this(0, 1, &Message::Forward(1, mail(0)));
    assert_eq!(repeated().holds(), Some(true));
    let heard = submitted().passes_this(0, 1, &Message::Forward(1, mail(0)));
    let heard =
        heard.passes_this(1, 0, &Message::Ack(1)).sends_this(1, 3, &Message::Hand(1, mail(0)));
    assert_eq!(heard.clone().holds(), Some(true));
    let idle = heard.times_out(0, "Retry");
    assert_eq!(idle.detail(), "p0 waits for an answer, and none is due");
    let restarted = || sent().dies(0).recovers(0);
    assert_eq!(restarted().detail(), "p0 does not hand mail 0 to p1, as number 1");
    assert_eq!(restarted().sends_this(0, 1, &Message::Forward(1, mail(0))).holds(), Some(true));
}

#[test]
fn no_more_than_a_window_is_under_way() {
    let submits = |how_many: u32| {
        let numbers = || [0].into_iter().chain(2..).take(how_many as usize);
        let written = numbers().fold(handover(), |story, mail| story.tells(2, &Wrote(mail)));
        let sent = (1..).zip(numbers()).map(|(n, number)| Message::Submit(n, mail(number)));
        (written, sent.collect::<Vec<_>>())
    };
    let send = |(story, sent): (Story, Vec<Message>), how_many: usize| {
        sent.iter().take(how_many).fold(story, |story, message| story.sends_this(2, 0, message))
    };
    assert_eq!(send(submits(10), WINDOW).holds(), Some(true));
    assert_eq!(send(submits(10), WINDOW - 1).holds(), Some(false));
    assert_eq!(send(submits(10), WINDOW + 1).holds(), Some(false));
}
