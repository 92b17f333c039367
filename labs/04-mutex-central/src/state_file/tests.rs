use std::fs;

use labs::process::{ProcessId, split_mix};

use super::*;
use crate::book::Wish;

fn wish(client: u32, ask: u64) -> Wish {
    Wish { client: ProcessId(client), ask }
}

fn book(token: u64, line: &[Wish]) -> Book {
    let wishes = line.iter().map(|wish| (wish.client, wish.ask)).collect();
    Book { token, inside: Some(wish(3, token)), line: line.iter().copied().collect(), wishes }
}

fn store(file: &mut StateFile, book: &Book) {
    file.on_indication(&Indication::Stored(book.clone())).unwrap();
    file.commit().unwrap();
}

#[test]
fn what_was_stored_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert_eq!(load(&path), Ok(None));
    let mut file = StateFile::open(Some(&path)).unwrap();
    assert_eq!(load(&path), Ok(None), "nothing was stored");
    store(&mut file, &book(1, &[]));
    let last = book(7, &[wish(3, 2), wish(5, 1)]);
    store(&mut file, &last);
    assert_eq!(load(&path), Ok(Some(last.clone())));
    drop(file);
    let mut file = StateFile::open(Some(&path)).unwrap();
    let next = Book { inside: None, ..last };
    store(&mut file, &next);
    assert_eq!(load(&path), Ok(Some(next)));
}

/// All that a turn has stored is one entry.
#[test]
fn a_turn_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut file = StateFile::open(Some(&path)).unwrap();
    store(&mut file, &book(1, &[]));
    for token in 2..=5 {
        file.on_indication(&Indication::Stored(book(token, &[]))).unwrap();
    }
    assert_eq!(load(&path).unwrap().unwrap().token, 1, "nothing is on the disk before the end");
    file.commit().unwrap();
    file.commit().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!(text.lines().last(), Some("{\"token\":5,\"inside\":{\"client\":3,\"ask\":5}}"));
}

/// Clients join at the end, and leave from anywhere; one that leaves may join again in the same turn.
#[test]
fn whatever_a_turn_changes_is_what_its_change_does() {
    let mut random = 4;
    let mut below = |n: usize| split_mix(&mut random) as usize % n;
    let (mut before, mut now) = (Book::default(), Book::default());
    for turn in 0..2_000_u64 {
        for _ in 0..below(6) {
            let client = below(8) as u32;
            match below(4) {
                0 => now.inside = now.line.pop_front(),
                1 => now.line.retain(|wish| wish.client.0 != client),
                2 => now.token += 1,
                _ if now.line.iter().all(|wish| wish.client.0 != client) => {
                    let ask = now.wishes.get(&ProcessId(client)).map_or(turn, |&ask| ask);
                    now.line.push_back(wish(client, ask + below(2) as u64));
                    now.wishes.insert(ProcessId(client), ask);
                }
                _ => {}
            }
        }
        let change = serde_json::to_string(&Change::between(&before, &now)).unwrap();
        serde_json::from_str::<Change>(&change).unwrap().apply(&mut before);
        assert_eq!(before, now, "{change}");
    }
}

#[test]
fn a_long_log_gives_way_to_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut file = StateFile::open(Some(&path)).unwrap();
    let line: Vec<_> = (10..8_000).map(|client| wish(client, 1)).collect();
    let (mut longest, mut last) = (0, Book::default());
    for token in 1..=16 {
        last = book(token, if token % 2 == 0 { &line } else { &[] });
        store(&mut file, &last);
        longest = fs::metadata(&path).unwrap().len().max(longest);
    }
    assert!((COMPACT_AT..3 * COMPACT_AT).contains(&longest), "{longest}");
    assert!(fs::metadata(&path).unwrap().len() < COMPACT_AT);
    // Clients are never forgotten.
    assert_eq!(load(&path).unwrap().unwrap().line, last.line);
}

#[test]
fn the_state_of_an_earlier_version_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let text = "{\"token\":7,\"inside\":{\"client\":3,\"ask\":2},\"line\":[{\"client\":1,\"ask\":3}],\
                \"wishes\":{\"1\":3,\"3\":2}}\n";
    fs::write(&path, text).unwrap();
    let mut file = StateFile::open(Some(&path)).unwrap();
    let former = load(&path).unwrap().unwrap();
    assert_eq!((former.token, &former.line[0]), (7, &wish(1, 3)));
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing has changed yet");
    let next = Book { token: 8, ..former };
    store(&mut file, &next);
    assert!(is_log(&fs::read(&path).unwrap()));
    assert_eq!(load(&path), Ok(Some(next)));
}

#[test]
fn what_is_no_book_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let refused = |text: &[u8], expected: &str| {
        fs::write(&path, text).unwrap();
        let why = load(&path).unwrap_err();
        assert!(why.contains(expected), "{why}");
        let opened = StateFile::open(Some(&path)).err().unwrap().to_string();
        assert_eq!(opened, why);
        assert_eq!(fs::read(&path).unwrap(), text);
    };
    refused(b"begin p1 1\n", "does not hold the state");
    refused(b"", "is empty");
    let mut file = StateFile::open(Some(&folder.path().join("other"))).unwrap();
    (1..=3).for_each(|token| store(&mut file, &book(token, &[])));
    let whole = fs::read(folder.path().join("other")).unwrap();
    let mut spoilt = whole.clone();
    spoilt[100] ^= 1;
    refused(&spoilt, "it is damaged at byte ");
    // A log of something else.
    let mail = folder.path().join("mail");
    DurableLog::create(LocalDisk, &mail, ["{\"mail\":1}"]).unwrap();
    refused(&fs::read(mail).unwrap(), "does not hold the state");
}

#[test]
fn a_file_has_one_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let file = StateFile::open(Some(&path)).unwrap();
    let error = StateFile::open(Some(&path)).err().unwrap().to_string();
    assert!(error.contains("another coordinator uses the state in "), "{error}");
    drop(file);
    let mut file = StateFile::open(Some(&path)).unwrap();
    let nowhere = StateFile::open(Some(Path::new("/nowhere/at/all"))).err().unwrap();
    assert!(nowhere.to_string().contains("cannot lock the state in /nowhere"), "{nowhere}");
    fs::create_dir(path.with_extension("new")).unwrap();
    file.on_indication(&Indication::Stored(book(1, &[]))).unwrap();
    let error = file.commit().unwrap_err();
    assert!(error.to_string().contains("cannot store the state in "), "{error}");
}
