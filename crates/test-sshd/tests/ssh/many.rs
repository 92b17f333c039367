//! Many machines at once, good ones and bad ones.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use netkit::launch::{LaunchOptions, Stage};
use test_sshd::Bench;

use crate::{Launcher, launch};

#[test]
fn lines_that_name_the_same_server_share_its_eight_connections() {
    let bench = Bench::new();
    let server = bench.server();
    let launcher = Launcher::new();
    let hosts = format!("{}\n", server.host()).repeat(24);
    let report = launch(&hosts, 24, &bench.options(), &|rank, _| launcher.job(rank));
    assert!(report.failed.is_empty(), "{}", report.failed[0].2);
    assert_eq!(launcher.hear(24).0.len(), 24);
    assert_eq!(server.connections(), 24);
    let most = server.seen.most_open.load(Ordering::SeqCst);
    // One that the client has closed may not be counted off yet.
    assert!((2..=16).contains(&most), "{most} connections at once");
}

#[test]
fn bad_machines_are_reported_and_delay_no_good_one() {
    let bench = Bench::new();
    let good = bench.server();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hosts = format!(
        "{}\n{closed}\n{} slots=2\nlocalhost\nno-such-host.invalid\n",
        silent.local_addr().unwrap(),
        good.host()
    );
    let launcher = Launcher::new();
    let options = LaunchOptions { connect_timeout: Duration::from_secs(2), ..bench.options() };
    let report = launch(&hosts, 6, &options, &|rank, _| launcher.job(rank));
    let started: Vec<(u32, usize)> = report.started.iter().map(|s| (s.0, s.1)).collect();
    assert_eq!(started, [(2, 2), (3, 2), (4, 3)], "{:?}", report.failed);
    let failed: Vec<(&[u32], usize, Stage)> =
        report.failed.iter().map(|f| (f.0.as_slice(), f.1, f.2.stage)).collect();
    let expected =
        [(&[0][..], 0, Stage::Connect), (&[1], 1, Stage::Connect), (&[5], 4, Stage::Resolve)];
    assert_eq!(failed, expected);
    launcher.hear(3);
}

#[test]
fn daemons_here_need_no_ssh() {
    let launcher = Launcher::new();
    let report = launch("localhost", 12, &LaunchOptions::default(), &|rank, _| launcher.job(rank));
    assert!(report.failed.is_empty(), "{}", report.failed[0].2);
    assert_eq!(launcher.hear(12).0.len(), 12);
}
