mod power;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use netkit::frame::MAX_FRAME;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{Store, StoreError, Submission};
use crate::post::address::Address;
use crate::post::mail::Mail;

fn open(root: &Path) -> Store {
    Store::open(root, "a.org", ["alice", "amy"].into_iter(), ["b.org", "c.org"].into_iter())
        .unwrap()
}

fn to(addresses: &[&str]) -> BTreeSet<Address> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

fn submission(request: u64) -> Submission {
    Submission { session: 7, request }
}

fn submit(store: &mut Store, request: u64, recipients: &[&str]) -> Result<String, StoreError> {
    let body = format!("text {request}");
    let sent = store.submit("alice", submission(request), to(recipients), body, MAX_FRAME);
    store.commit().unwrap();
    sent.map(|(id, _)| id)
}

fn confirm(store: &mut Store, name: &str, id: &str) {
    store.confirm(name, id).unwrap();
    store.commit().unwrap();
}

fn receive(store: &mut Store, mail: &Mail) -> (Vec<String>, Vec<Address>) {
    let received = store.receive(mail.clone()).unwrap();
    store.commit().unwrap();
    received
}

/// Has the mails of all queues put into their files.
fn rest(store: &mut Store) {
    ["b.org", "c.org"].into_iter().for_each(|domain| store.rest(domain));
    store.commit().unwrap();
}

fn bodies(store: &mut Store, name: &str) -> Vec<String> {
    store.unread(name, 0).unwrap().0.into_iter().map(|mail| mail.body).collect()
}

/// The files in a folder of the store, as their names without what differs from run to run.
fn files(root: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split_once('Q').map_or(name.clone(), |(_, rest)| rest.to_owned()))
        .collect();
    names.sort();
    names
}

#[test]
fn a_mail_is_in_boxes_and_queues_when_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut store = open(root);
    let id = submit(&mut store, 1, &["amy@a.org", "bob@b.org", "carol@c.org"]).unwrap();
    assert_eq!(id, "1.alice@a.org");
    assert_eq!(files(root, "boxes/amy/new"), ["1.alice=a.org"]);
    assert_eq!(files(root, "queue/b.org"), [""; 0], "it leaves soon");
    rest(&mut store);
    assert_eq!(files(root, "queue/b.org"), ["0000000001.json"]);
    assert_eq!(files(root, "queue/c.org"), ["0000000001.json"]);
    assert_eq!(bodies(&mut store, "amy"), ["text 1"]);
    let mail = store.queued("b.org", 0).unwrap().unwrap();
    assert_eq!((mail.id(), mail.envelope.clock.len()), (id, 0));
    confirm(&mut store, "amy", "1.alice@a.org");
    assert_eq!(files(root, "boxes/amy/cur"), ["1.alice=a.org:2,S"]);
    assert_eq!(bodies(&mut store, "amy"), [""; 0]);
    store.forwarded("b.org").unwrap();
    store.commit().unwrap();
    assert_eq!(files(root, "queue/b.org"), [""; 0]);
}

#[test]
fn what_is_sent_again_is_the_same_mail() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let first = submit(&mut store, 1, &["amy@a.org"]).unwrap();
    assert_eq!(submit(&mut store, 1, &["amy@a.org"]).unwrap(), first);
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(submit(&mut store, 1, &["amy@a.org"]).unwrap(), first);
    assert_eq!(submit(&mut store, 2, &["amy@a.org"]).unwrap(), "2.alice@a.org");
    assert!(submit(&mut store, 1, &["amy@a.org"]).is_err(), "an old wish is not granted again");
    assert_eq!(bodies(&mut store, "amy"), ["text 1", "text 2"]);
}

#[test]
fn what_cannot_be_delivered_is_refused_and_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    for (recipients, why) in [
        (vec!["bob@x.org"], "there is no domain x.org; there are a.org and b.org, c.org"),
        (vec!["bob@b.org", "nobody@a.org"], "nobody@a.org: a.org has no such user"),
        (vec![], "0 recipients"),
    ] {
        let error = submit(&mut store, 1, &recipients).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let long = "x".repeat(MAX_FRAME);
    let error = store.submit("alice", submission(1), to(&["bob@b.org"]), long, MAX_FRAME);
    assert!(error.unwrap_err().to_string().contains("a frame holds"));
    rest(&mut store);
    for queue in ["queue/b.org", "boxes/alice/new"] {
        assert_eq!(files(folder.path(), queue), [""; 0]);
    }
    assert_eq!(submit(&mut store, 1, &["bob@b.org"]).unwrap(), "1.alice@a.org");
}

#[test]
fn a_mail_that_is_forwarded_twice_is_delivered_once() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = open(here.path());
    let users = ["bob"].into_iter();
    let mut other = Store::open(there.path(), "b.org", users, ["a.org"].into_iter()).unwrap();
    submit(&mut store, 1, &["bob@b.org", "nobody@b.org"]).unwrap();
    let mail = store.queued("b.org", 0).unwrap().unwrap();
    for _ in 0..2 {
        let (here, unknown) = receive(&mut other, &mail);
        assert_eq!(
            (here, unknown),
            (vec!["bob".to_owned()], vec!["nobody@b.org".parse().unwrap()])
        );
    }
    assert_eq!(bodies(&mut other, "bob"), ["text 1"]);
    confirm(&mut other, "bob", "1.alice@a.org");
    receive(&mut other, &mail);
    drop(other);
    let users = ["bob"].into_iter();
    let mut other = Store::open(there.path(), "b.org", users, ["a.org"].into_iter()).unwrap();
    receive(&mut other, &mail);
    assert_eq!(bodies(&mut other, "bob"), [""; 0]);
    assert_eq!(files(there.path(), "boxes/bob/cur").len(), 1);
}

#[test]
fn a_store_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let second = Store::open(folder.path(), "a.org", [].into_iter(), [].into_iter());
    assert!(second.unwrap_err().to_string().contains("in use by another server"));
    drop(store);
    open(folder.path());
}

/// Each concerns nobody else, and stays where it is.
#[test]
fn odd_things_in_a_box_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("boxes/amy");
    let mut store = open(folder.path());
    submit(&mut store, 1, &["amy@a.org"]).unwrap();
    drop(store);
    fs::write(root.join("new/1.foreign"), "From: x\n\nhello").unwrap();
    fs::write(root.join("cur/2.x.host:2,S"), b"From: x@example.org\n\nh\xe9llo\n").unwrap();
    fs::write(root.join("cur/3.empty"), "").unwrap();
    fs::create_dir_all(root.join("new/sub/sub")).unwrap();
    fs::create_dir(root.join("tmp/sub")).unwrap();
    fs::create_dir(root.join("tmp/1.M000001Q1.x=y")).unwrap();
    fs::write(root.join("tmp/4.of-another-program"), "half").unwrap();
    symlink("/nowhere/at/all", root.join("new/link")).unwrap();
    symlink("/dev/zero", root.join("new/device")).unwrap();
    mkfifo(&root.join("cur/pipe"), Mode::S_IRWXU).unwrap();
    fs::File::create(root.join("new/large")).unwrap().set_len(65 << 20).unwrap();
    let names = |part: &str| files(folder.path(), &format!("boxes/amy/{part}"));
    let before = ["tmp", "new", "cur"].map(names);
    let mut store = open(folder.path());
    assert_eq!(bodies(&mut store, "amy"), ["text 1"]);
    assert_eq!(["tmp", "new", "cur"].map(names), before);
    submit(&mut store, 2, &["amy@a.org"]).unwrap();
    confirm(&mut store, "amy", "1.alice@a.org");
    assert_eq!(bodies(&mut store, "amy"), ["text 2"]);
}

#[test]
fn a_mail_to_somebody_else_is_not_shown_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    submit(&mut store, 1, &["amy@a.org"]).unwrap();
    drop(store);
    let boxes = folder.path().join("boxes");
    let file = fs::read_dir(boxes.join("amy/new")).unwrap().next().unwrap().unwrap();
    fs::copy(file.path(), boxes.join("alice/new/copy")).unwrap();
    fs::copy(file.path(), boxes.join("amy/cur/copy")).unwrap();
    let mut store = open(folder.path());
    assert_eq!(bodies(&mut store, "alice"), [""; 0]);
    assert_eq!(bodies(&mut store, "amy"), ["text 1"], "a copy is the same mail");
}

/// A box that cannot be opened, in each way, and what was in it is there when it can be.
#[test]
fn a_box_that_cannot_be_used_stops_no_other() {
    type Harm = fn(&Path);
    let ways: [(Harm, &str); 3] = [
        (|root| fs::write(root.join("new"), "").unwrap(), "in the place of a folder"),
        (|root| symlink("/nowhere/at/all", root.join("new")).unwrap(), "in the place of a folder"),
        (|root| mkfifo(&root.join("new"), Mode::S_IRWXU).unwrap(), "in the place of a folder"),
    ];
    for (harm, why) in ways {
        let folder = tempfile::tempdir().unwrap();
        let mail_box = folder.path().join("boxes/amy");
        let mut store = open(folder.path());
        submit(&mut store, 1, &["amy@a.org"]).unwrap();
        confirm(&mut store, "amy", "1.alice@a.org");
        drop(store);
        fs::remove_dir_all(mail_box.join("new")).unwrap();
        harm(&mail_box);
        for _ in 0..2 {
            let mut store = open(folder.path());
            let error = store.enter("amy").unwrap_err().to_string();
            assert!(error.contains("box of amy") && error.contains(why), "{error}");
            store.enter("alice").unwrap();
        }
        let mut store = open(folder.path());
        submit(&mut store, 2, &["amy@a.org", "alice@a.org"]).unwrap();
        assert_eq!(bodies(&mut store, "alice"), ["text 2"]);
        assert_eq!(files(folder.path(), "held/amy").last().unwrap(), "2.alice=a.org");
        // Somebody has put it right, and its user comes.
        fs::remove_file(mail_box.join("new")).unwrap();
        store.enter("amy").unwrap();
        store.commit().unwrap();
        assert_eq!(bodies(&mut store, "amy"), ["text 2"]);
        assert_eq!(files(folder.path(), "held/amy"), [""; 0]);
        drop(store);
        assert_eq!(bodies(&mut open(folder.path()), "amy"), ["text 2"]);
    }
}

/// The folder is spoilt while the server runs.
#[test]
fn a_box_that_is_spoilt_is_closed_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut store = open(root);
    fs::remove_dir(root.join("boxes/amy/new")).unwrap();
    fs::write(root.join("boxes/amy/new"), "").unwrap();
    let id = submit(&mut store, 1, &["amy@a.org", "bob@b.org"]).unwrap();
    assert_eq!(id, "1.alice@a.org");
    assert_eq!(files(root, "held/amy"), ["1.alice=a.org"]);
    rest(&mut store);
    assert_eq!(files(root, "queue/b.org"), ["0000000001.json"]);
    assert_eq!(submit(&mut store, 2, &["amy@a.org"]).unwrap(), "2.alice@a.org");
    fs::remove_file(root.join("boxes/amy/new")).unwrap();
    drop(store);
    assert_eq!(bodies(&mut open(root), "amy"), ["text 1", "text 2"]);
}

#[test]
fn damaged_files_of_a_queue_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut store = open(root);
    (1..=4).for_each(|request| drop(submit(&mut store, request, &["bob@b.org"]).unwrap()));
    store.close().unwrap();
    fs::create_dir(root.join("spool")).unwrap();
    fs::write(root.join("queue/b.org/0000000001.json"), "").unwrap();
    fs::remove_file(root.join("queue/b.org/0000000003.json")).unwrap();
    fs::create_dir(root.join("queue/b.org/0000000003.json")).unwrap();
    fs::create_dir(root.join("queue/b.org/0000000009.json.new")).unwrap();
    fs::write(root.join("spool/0000000007.json"), b"\xff").unwrap();
    mkfifo(&root.join("spool/0000000008.json"), Mode::S_IRWXU).unwrap();
    let mut store = open(root);
    for place in [0, 1] {
        assert!(store.queued("b.org", place).is_err());
        store.leave_out("b.org", place);
    }
    let left = [0, 1].map(|place| store.queued("b.org", place).unwrap().unwrap().id());
    assert_eq!(left, ["2.alice@a.org", "4.alice@a.org"]);
    submit(&mut store, 5, &["bob@b.org"]).unwrap();
    rest(&mut store);
    let names = ["0000000001.json", "0000000002.json", "0000000003.json", "0000000004.json"];
    let names = [&names[..], &["0000000009.json", "0000000009.json.new"]].concat();
    assert_eq!(files(root, "queue/b.org"), names);
    assert_eq!(files(root, "spool"), ["0000000007.json", "0000000008.json"]);
}

/// Mails read with another program, which moves them, are still shown by the client.
#[test]
fn mails_that_another_program_has_moved_are_found() {
    let rename = |folder: &Path, to: &str| {
        let root = folder.join("boxes/amy");
        let files = ["new", "cur"].map(|part| fs::read_dir(root.join(part)).unwrap());
        let file = files.into_iter().flatten().next().unwrap().unwrap();
        let name = file.file_name().into_string().unwrap();
        let name = name.split([',', ':']).next().unwrap();
        fs::rename(file.path(), root.join(to.replace("NAME", name))).unwrap();
    };
    // That of mutt, of mbsync, of Dovecot, and of offlineimap.
    let names =
        ["cur/NAME:2,S", "cur/NAME,U=7:2,", "cur/NAME,S=900,W=920:2,FS", "new/1_0.2.host,U=8"];
    for to in names {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        submit(&mut store, 1, &["amy@a.org"]).unwrap();
        rename(folder.path(), to);
        assert_eq!(bodies(&mut store, "amy"), ["text 1"], "{to}");
        rename(folder.path(), "cur/another,U=9:2,F");
        confirm(&mut store, "amy", "1.alice@a.org");
        assert_eq!(files(folder.path(), "boxes/amy/cur"), ["another,U=9:2,FS"]);
        drop(store);
        assert_eq!(bodies(&mut open(folder.path()), "amy"), [""; 0]);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    submit(&mut store, 1, &["amy@a.org"]).unwrap();
    drop(store);
    rename(folder.path(), names[1]);
    assert_eq!(bodies(&mut open(folder.path()), "amy"), ["text 1"]);
}

#[test]
fn many_mails_come_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    for request in 1..=5 {
        let body = format!("{request}{}", "x".repeat(100_000));
        store.submit("alice", submission(request), to(&["amy@a.org"]), body, MAX_FRAME).unwrap();
    }
    store.commit().unwrap();
    let (mut after, mut sizes, mut read) = (0, Vec::new(), 0);
    loop {
        let (mails, last, more) = store.unread("amy", after).unwrap();
        sizes.push(mails.len());
        for mail in mails {
            read += 1;
            assert!(mail.body.starts_with(&read.to_string()));
        }
        after = last;
        if !more {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
}

/// What a server of the version before the log has left: `clock.json` in each box, a mail in `spool`,
/// another in `queue`.
fn make_earlier_version(root: &Path) {
    let model = tempfile::tempdir().unwrap();
    let mut store = open(model.path());
    submit(&mut store, 1, &["amy@a.org", "bob@b.org"]).unwrap();
    submit(&mut store, 2, &["amy@a.org"]).unwrap();
    confirm(&mut store, "amy", "1.alice@a.org");
    for name in ["alice", "amy"] {
        let folder = root.join("boxes").join(name);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(folder.join(part)).unwrap();
            for entry in fs::read_dir(model.path().join("boxes").join(name).join(part)).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), folder.join(part).join(entry.file_name())).unwrap();
            }
        }
        let state = serde_json::to_vec_pretty(&store.states[name]).unwrap();
        fs::write(folder.join("clock.json"), state).unwrap();
    }
    submit(&mut store, 3, &["amy@a.org", "bob@b.org"]).unwrap();
    rest(&mut store);
    let queue = |root: &Path, name: &str| root.join("queue/b.org").join(name);
    fs::create_dir_all(root.join("queue/b.org")).unwrap();
    fs::create_dir(root.join("spool")).unwrap();
    let [first, third] = ["0000000001.json", "0000000003.json"];
    fs::copy(queue(model.path(), first), queue(root, first)).unwrap();
    fs::copy(queue(model.path(), third), root.join("spool").join(third)).unwrap();
}

#[test]
fn the_store_of_an_earlier_version_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_earlier_version(root);
    for _ in 0..2 {
        let mut store = open(root);
        assert_eq!(bodies(&mut store, "amy"), ["text 2", "text 3"]);
        assert_eq!(files(root, "boxes/amy/cur"), ["1.alice=a.org:2,S"]);
        let queue = [0, 1].map(|place| store.queued("b.org", place).unwrap().unwrap().id());
        assert_eq!(queue, ["1.alice@a.org", "3.alice@a.org"]);
        assert_eq!(submit(&mut store, 3, &["amy@a.org"]).unwrap(), "3.alice@a.org");
        assert_eq!(files(root, "spool"), [""; 0]);
        assert!(files(root, "boxes/amy").contains(&"clock.json.old".to_owned()));
    }
}

#[test]
fn a_box_of_an_earlier_version_that_is_damaged_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_earlier_version(root);
    let clock = root.join("boxes/amy/clock.json");
    let kept = fs::read(&clock).unwrap();
    fs::write(&clock, "{").unwrap();
    for _ in 0..2 {
        let mut store = open(root);
        let error = store.enter("amy").unwrap_err().to_string();
        assert!(error.contains("box of amy") && error.contains("damaged"), "{error}");
        store.enter("alice").unwrap();
    }
    let mut store = open(root);
    submit(&mut store, 4, &["amy@a.org", "alice@a.org"]).unwrap();
    fs::write(&clock, kept).unwrap();
    store.enter("amy").unwrap();
    store.commit().unwrap();
    assert_eq!(bodies(&mut store, "amy"), ["text 2", "text 3", "text 4"]);
    drop(store);
    assert_eq!(bodies(&mut open(root), "amy"), ["text 2", "text 3", "text 4"]);
}

/// What she has sent is known when her box is mended, at the next start or while the server runs.
#[test]
fn what_an_earlier_version_had_accepted_is_not_sent_under_a_number_again() {
    for starts_again in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        make_earlier_version(root);
        let clock = root.join("boxes/alice/clock.json");
        let kept = fs::read(&clock).unwrap();
        fs::write(&clock, "{").unwrap();
        let mut store = open(root);
        assert!(submit(&mut store, 4, &["amy@a.org"]).unwrap_err().to_string().contains("damaged"));
        assert_eq!(bodies(&mut store, "amy"), ["text 2", "text 3"]);
        fs::write(&clock, kept).unwrap();
        if starts_again {
            drop(store);
            store = open(root);
        }
        store.enter("alice").unwrap();
        assert_eq!(submit(&mut store, 3, &["amy@a.org"]).unwrap(), "3.alice@a.org");
        assert_eq!(submit(&mut store, 4, &["amy@a.org"]).unwrap(), "4.alice@a.org");
        assert_eq!(bodies(&mut store, "amy"), ["text 2", "text 3", "text 4"]);
    }
}

/// However much happens in a turn, and to whomever.
#[test]
fn a_turn_is_one_block_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let blocks = || {
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        log.lines().filter(|line| !line.starts_with('{')).count() - 1
    };
    let before = blocks();
    for request in 1..=5 {
        let to = to(&["amy@a.org", "bob@b.org"]);
        store.submit("alice", submission(request), to, "text".to_owned(), MAX_FRAME).unwrap();
    }
    assert_eq!(bodies(&mut store, "amy").len(), 5, "they can be read already");
    store.confirm("amy", "1.alice@a.org").unwrap();
    store.forwarded("b.org").unwrap();
    assert_eq!((blocks(), files(folder.path(), "boxes/amy/new").len()), (before, 0));
    store.commit().unwrap();
    assert_eq!((blocks(), files(folder.path(), "boxes/amy/new").len()), (before + 1, 4));
    assert_eq!(files(folder.path(), "boxes/amy/cur").len(), 1);
}

#[test]
fn a_log_that_no_crash_has_damaged_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut store = open(folder.path());
    (1..=3).for_each(|request| drop(submit(&mut store, request, &["amy@a.org"]).unwrap()));
    drop(store);
    let mut log = fs::read(&path).unwrap();
    let second = log.len() / 2;
    log[second] ^= 1;
    for wrong in [log, b"{}".to_vec(), Vec::new()] {
        fs::write(&path, &wrong).unwrap();
        let users = ["alice", "amy"].into_iter();
        let why = Store::open(folder.path(), "a.org", users, [].into_iter()).unwrap_err();
        assert!(why.to_string().contains("/log: it is "), "{why}");
        assert_eq!(fs::read(&path).unwrap(), wrong);
    }
}
