//! The store after a power cut: the log is as it was committed, perhaps with a part of a turn behind
//! that; of each other file there is what was brought to the disk, what was written since, a part of
//! that, or nothing. A `kill -9` is the case in which all is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use labs::process::split_mix;

use super::*;

/// How many ways to lose a part are drawn behind each turn.
const LOSSES: u64 = 3;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What must be there whatever was lost.
#[derive(Debug, Eq, PartialEq)]
struct Truth {
    unread: Vec<String>,
    /// The files of mails that were read.
    read: Vec<String>,
    clocks: Vec<String>,
    queue: Vec<String>,
}

impl Truth {
    fn of(store: &mut Store, root: &Path) -> Self {
        let mut unread: Vec<_> = ["alice", "amy"]
            .into_iter()
            .flat_map(|name| {
                bodies(store, name).into_iter().map(move |body| format!("{name}: {body}"))
            })
            .collect();
        unread.sort();
        let read = ["alice", "amy"].map(|name| files(root, &format!("boxes/{name}/cur")));
        let clocks = ["alice", "amy"].map(|name| format!("{:?}", store.knowledge(name).unwrap()));
        let waiting = store.queue("b.org").unwrap().len();
        let queue = (0..waiting).map(|place| store.queued("b.org", place).unwrap().unwrap().id());
        Self { unread, read: read.concat(), clocks: clocks.into(), queue: queue.collect() }
    }
}

fn all_files(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_owned();
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
    }
    files
}

/// A mail is in one file, whose folder and name change.
fn mail_of(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap().split(':').next().unwrap();
    let folder = path.to_str().unwrap().replace("/cur/", "/new/");
    format!("{}/{name}", Path::new(&folder).parent().unwrap().display())
}

/// What a cut leaves: of each mail one of its states since the files were brought to the disk.
fn after_cut(states: &[Files], random: &mut u64) -> Files {
    let mut below = |n: usize| split_mix(random) as usize % n;
    let last = states.last().unwrap();
    let log = PathBuf::from("log");
    let mut left = Files::from([(log.clone(), last[&log].clone())]);
    let mails: BTreeSet<_> =
        states.iter().flat_map(|files| files.keys().map(|path| mail_of(path))).collect();
    for mail in mails.into_iter().filter(|mail| !mail.ends_with("/log") && !mail.ends_with("/lock"))
    {
        let is_sure = states[0].keys().any(|path| mail_of(path) == mail);
        for (path, bytes) in &states[below(states.len())] {
            if mail_of(path) == mail {
                let length =
                    if is_sure || below(2) == 0 { bytes.len() } else { below(bytes.len()) };
                left.insert(path.clone(), bytes[..length].to_vec());
            }
        }
    }
    if below(2) == 0 {
        left.entry(log).or_default().extend_from_slice(b"0000000000000005 00000");
    }
    left
}

/// A mail of b.org to Alice and Amy, the next that is written there.
fn foreign(other: &mut Store, request: u64) -> Mail {
    let body = format!("from afar {request}");
    let to = to(&["alice@a.org", "amy@a.org"]);
    other.submit("bob", submission(request), to, body, MAX_FRAME).unwrap();
    other.commit().unwrap();
    let place = other.queue("a.org").unwrap().len() - 1;
    Mail::clone(&other.queued("a.org", place).unwrap().unwrap())
}

/// One turn of a server.
fn turn(store: &mut Store, other: &mut Store, number: u64) {
    match number % 9 {
        0 | 4 => drop(submit(store, number, &["amy@a.org", "bob@b.org"]).unwrap()),
        1 => drop(receive(store, &foreign(other, number))),
        2 => confirm(store, "amy", &format!("{}.bob@b.org", 1 + number / 9)),
        3 => confirm(store, "amy", &format!("{}.alice@a.org", 1 + 3 * (number / 9))),
        5 => rest(store),
        6 => drop(submit(store, number, &["alice@a.org", "amy@a.org", "bob@b.org"]).unwrap()),
        7 => {
            store.forwarded("b.org").unwrap();
            store.commit().unwrap();
        }
        _ => confirm(store, "alice", &format!("{}.bob@b.org", 1 + number / 9)),
    }
}

#[test]
fn whatever_a_power_cut_leaves_nothing_is_lost_or_doubled() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = here.path();
    let mut store = open(root);
    let others = ["a.org"].into_iter();
    let mut other = Store::open(there.path(), "b.org", ["bob"].into_iter(), others).unwrap();
    let mut states = vec![all_files(root)];
    let mut random = 0x5eed;
    for number in 0..27 {
        turn(&mut store, &mut other, number);
        if number == 15 {
            store.compact().unwrap();
            states.clear();
        }
        states.push(all_files(root));
        let truth = Truth::of(&mut store, root);
        for loss in 0..LOSSES {
            let again = tempfile::tempdir().unwrap();
            for (path, bytes) in after_cut(&states, &mut random) {
                let path = again.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            let mut store = open(again.path());
            assert_eq!(Truth::of(&mut store, again.path()), truth, "after turn {number}");
            // And once more, from the snapshot.
            if loss == 0 {
                drop(store);
                let mut store = open(again.path());
                assert_eq!(
                    Truth::of(&mut store, again.path()),
                    truth,
                    "after turn {number}, again"
                );
            }
        }
    }
}
