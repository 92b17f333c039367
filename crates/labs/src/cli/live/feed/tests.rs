use super::*;
use crate::trace::format::parse;

const HEADER: &str = r#"{"trace":2,"lab":"any","verb":"run","run":"r","processes":2,"seed":1,"arguments":[],"properties":[{"name":"exactly-once delivery","kind":"liveness","pattern":"exactly_once"}]}"#;

fn feed() -> Feed {
    Feed::new(serde_json::from_str(HEADER).unwrap()).unwrap()
}

fn event(process: u32, n: u32, rest: &str) -> Entry {
    let line = format!(r#"{{"process":{process},"n":{n},"lamport":{n},"at_us":0,{rest}}}"#);
    Entry { event: parse(line.as_bytes()).unwrap(), state: None }
}

fn message(what: &str, peer: u32, id: &str) -> String {
    let message = format!(r#"{{"id":"{id}","kind":"A","text":"A","bytes":1}}"#);
    format!(r#""event":"{what}","peer":{peer},"message":{message}"#)
}

fn events(news: &News) -> Vec<u64> {
    let value = |chunk: &Arc<str>| serde_json::from_str::<serde_json::Value>(chunk).unwrap();
    news.chunks.iter().map(|chunk| value(chunk)["events"].as_u64().unwrap()).collect()
}

#[test]
fn a_receipt_waits_for_its_sending_and_what_follows_it_too() {
    let feed = feed();
    feed.push(event(1, 1, &message("receive", 0, "0-2")), 2).unwrap();
    feed.push(event(1, 2, &message("send", 0, "1-2")), 3).unwrap();
    feed.push(event(0, 1, r#""event":"init""#), 4).unwrap();
    feed.publish(None);
    let mut place = Place::default();
    let news = feed.news(&mut place, Duration::ZERO);
    assert_eq!(events(&news), [1]);

    feed.push(event(0, 2, &message("send", 1, "0-2")), 5).unwrap();
    feed.push(event(0, 3, &message("receive", 1, "1-2")), 6).unwrap();
    feed.end(None, 6).unwrap();
    let news = feed.news(&mut place, Duration::ZERO);
    assert_eq!((events(&news), news.ended), (vec![4], true));
    assert!(news.status.unwrap().contains("2 messages, each delivered once"));
}

/// As if the machine of p0 had been cut off, and its last events with it.
#[test]
fn what_waits_in_vain_is_shown_at_the_end() {
    let feed = feed();
    feed.push(event(0, 1, r#""event":"init""#), 2).unwrap();
    feed.push(event(1, 1, &message("receive", 0, "0-5")), 3).unwrap();
    feed.push(event(1, 2, r#""event":"stop""#), 4).unwrap();
    feed.publish(None);
    let mut place = Place::default();
    let news = feed.news(&mut place, Duration::ZERO);
    assert_eq!((events(&news), feed.is_ending()), (vec![1], true));
    feed.end(None, 4).unwrap();
    let news = feed.news(&mut place, Duration::ZERO);
    assert_eq!((events(&news), news.ended), (vec![2], true));
    let status = news.status.unwrap();
    assert!(status.contains(r#""missing":[{"process":0,"from":2}]"#), "{status}");
    assert!(status.contains("the trace lacks the events of p0 from its event 2 on"), "{status}");
}

#[test]
fn processes_that_wait_for_each_other_are_refused_at_the_end() {
    let feed = feed();
    feed.push(event(0, 1, &message("receive", 1, "1-2")), 2).unwrap();
    feed.push(event(0, 2, &message("send", 1, "0-2")), 3).unwrap();
    feed.push(event(1, 1, &message("receive", 0, "0-2")), 4).unwrap();
    feed.push(event(1, 2, &message("send", 0, "1-2")), 5).unwrap();
    let error = feed.end(None, 5).unwrap_err().to_string();
    assert!(error.contains("line 5: event 1 of p1 stands behind the receipt"), "{error}");
}

#[test]
fn a_late_reader_sees_everything() {
    let feed = feed();
    for n in 1..=3 {
        feed.push(event(0, n, r#""event":"init""#), 2).unwrap();
        feed.publish(None);
    }
    let mut place = Place::default();
    assert_eq!(events(&feed.news(&mut place, Duration::ZERO)), [1, 1, 1]);
    let nothing = feed.news(&mut place, Duration::ZERO);
    assert_eq!(nothing, News::default());
}

#[test]
fn a_reader_is_woken() {
    let feed = feed();
    let reader = feed.clone();
    let mut place = Place::default();
    feed.news(&mut place, Duration::ZERO);
    let waits = std::thread::spawn(move || reader.news(&mut place, Duration::from_secs(60)));
    feed.push(event(0, 1, r#""event":"init""#), 2).unwrap();
    feed.publish(None);
    assert_eq!(events(&waits.join().unwrap()), [1]);
}

#[test]
fn what_no_run_can_do_is_refused() {
    let feed = feed();
    let error = feed.push(event(0, 7, r#""event":"init""#), 9).unwrap_err();
    assert!(error.to_string().starts_with("line 9: the trace lacks the beginning of p0"));
    assert!(feed.push(event(5, 1, r#""event":"init""#), 9).is_err());
}
