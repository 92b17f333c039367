//! Reaching a server and logging in by key.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use netkit::launch::{LaunchOptions, Stage};
use russh::keys::Algorithm;
use test_sshd::{Behaviour, Bench, Sshd, new_key};

use crate::{refusal, succeed};

#[test]
fn a_key_that_is_not_wanted_is_named() {
    let bench = Bench::new();
    let server = Sshd::start(&[], &Behaviour::default());
    bench.write("known_hosts", &server.known_as(0));
    let error = refusal(&server.host(), &bench.options());
    assert_eq!(error.stage, Stage::Authenticate);
    assert!(error.what.contains("tester may not log in with any of"), "{error}");
    assert!(error.what.contains("id_ed25519"), "{error}");
    assert!(error.hint.contains("ssh-copy-id"), "{error}");
}

#[test]
fn no_key_at_all_is_said() {
    let bench = Bench::new();
    let server = bench.server();
    std::fs::remove_file(bench.path("id_ed25519")).unwrap();
    let error = refusal(&server.host(), &bench.options());
    assert_eq!(error.stage, Stage::Authenticate);
    assert!(error.what.contains("no key to offer") && error.hint.contains("ssh-keygen"), "{error}");
}

#[test]
fn the_key_that_an_option_names_is_offered_first() {
    let bench = Bench::new();
    let key = new_key(Algorithm::Ed25519);
    let behaviour = Behaviour { max_auth_tries: 1, ..Behaviour::default() };
    let server = Sshd::start(&[key.public_key().clone()], &behaviour);
    bench.write("known_hosts", &server.known_as(0));
    let identity = Some(bench.add_key("special", &key));
    succeed(&server.host(), &LaunchOptions { identity, ..bench.options() });
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_missing_or_damaged_key_that_an_option_names_is_an_error() {
    let bench = Bench::new();
    let server = bench.server();
    bench.write("damaged", "what?");
    for (name, reason) in [("missing", "No such file"), ("damaged", "not a private key")] {
        let identity = Some(bench.path(name));
        let error = refusal(&server.host(), &LaunchOptions { identity, ..bench.options() });
        assert_eq!(error.stage, Stage::Authenticate);
        assert!(error.what.contains(name) && error.what.contains(reason), "{error}");
    }
}

#[test]
fn the_configuration_names_host_user_port_and_keys() {
    let bench = Bench::new();
    let server = bench.server();
    std::fs::rename(bench.path("id_ed25519"), bench.path("lab key")).unwrap();
    let config = format!(
        "Host lab*\n  HostName 127.0.0.1\n  Port {}\n  User tester\n  IdentityFile \"{}\"\n",
        server.address.port(),
        bench.path("lab key").display(),
    );
    bench.write("config", &config);
    succeed("lab07", &bench.options());
}

#[test]
fn a_server_that_hangs_up_after_a_few_keys_gets_the_next_ones_on_a_new_connection() {
    // With ten keys, at least so many connections are needed.
    for (max_auth_tries, connections) in [(2, 4), (6, 2)] {
        let bench = Bench::new();
        let mut config = "Host *\n".to_owned();
        for n in 0..9 {
            let path = bench.add_key(&format!("wrong{n}"), &new_key(Algorithm::Ed25519));
            config.push_str(&format!("  IdentityFile {}\n", path.display()));
        }
        config.push_str(&format!("  IdentityFile {}\n", bench.path("id_ed25519").display()));
        bench.write("config", &config);
        let server = bench.server_that(&Behaviour { max_auth_tries, ..Behaviour::default() });
        succeed(&server.host(), &bench.options());
        assert!(server.connections() >= connections, "{}", server.connections());
    }
}

#[test]
fn a_protected_key_is_skipped_with_the_reason_when_nothing_may_be_asked() {
    let bench = Bench::new();
    let server = bench.server();
    let key = new_key(Algorithm::Ed25519).encrypt(&mut rand::rng(), "open sesame").unwrap();
    bench.add_key("id_ed25519", &key);
    let error = refusal(&server.host(), &bench.options());
    assert_eq!(error.stage, Stage::Authenticate);
    assert!(error.what.contains("needs a passphrase; ssh-add it"), "{error}");
}

#[test]
fn a_port_where_nothing_listens_is_said_at_once() {
    let bench = Bench::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refusal(&address.to_string(), &bench.options());
    assert_eq!(error.stage, Stage::Connect);
    assert!(error.what.contains("nothing listens"), "{error}");
}

#[test]
fn a_name_without_an_address_is_said() {
    let error = refusal("no-such-host.invalid", &Bench::new().options());
    assert_eq!(error.stage, Stage::Resolve);
    assert!(error.what.contains("no-such-host.invalid"), "{error}");
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let bench = Bench::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect_timeout = Duration::from_millis(300);
    let begun = Instant::now();
    let options = LaunchOptions { connect_timeout, ..bench.options() };
    let error = refusal(&silent.local_addr().unwrap().to_string(), &options);
    assert_eq!(error.stage, Stage::Connect);
    assert!(error.what.contains("no SSH server answered within 0.3 s"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn something_that_is_no_ssh_server_is_said() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let web = std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            if connection.write_all(&b"HTTP/1.1 400 Bad Request\r\n".repeat(3000)).is_ok() {
                continue;
            }
        }
    });
    let options = LaunchOptions { connect_timeout: Duration::from_millis(500), ..bench.options() };
    let error = refusal(&address.to_string(), &options);
    assert_eq!(error.stage, Stage::Connect);
    assert!(error.hint.contains("is it an SSH server"), "{error}");
    drop(web);
}

#[test]
fn a_server_that_drops_connections_is_tried_again() {
    let bench = Bench::new();
    let server = bench.server_that(&Behaviour { drops_first: 2, ..Behaviour::default() });
    succeed(&server.host(), &bench.options());
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_server_that_drops_every_connection_is_given_up() {
    let bench = Bench::new();
    let server = bench.server_that(&Behaviour { drops_first: usize::MAX, ..Behaviour::default() });
    let error = refusal(&server.host(), &bench.options());
    assert_eq!(error.stage, Stage::Connect);
    assert!(error.hint.contains("MaxStartups"), "{error}");
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 6);
}

/// An agent with keys, which ends with this value.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts an agent with these keys of the bench; none where there is no agent installed.
fn agent(bench: &Bench, keys: &[&str]) -> Option<Agent> {
    let socket = bench.path("agent");
    let command =
        Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
    let agent = match command {
        Ok(child) => Agent(child),
        Err(error) => {
            eprintln!("SKIPPED: no ssh-agent on this machine: {error}");
            return None;
        }
    };
    for key in keys {
        // The agent makes its socket in its own time; adding a key fails until it has.
        let deadline = Instant::now() + Duration::from_secs(10);
        let add = || {
            Command::new("ssh-add")
                .arg("-q")
                .arg(bench.path(key))
                .env("SSH_AUTH_SOCK", &socket)
                .stderr(Stdio::null())
                .status()
        };
        while !add().unwrap().success() {
            assert!(Instant::now() < deadline, "the agent takes no key");
            std::thread::yield_now();
        }
    }
    Some(agent)
}

#[test]
fn a_key_of_the_agent_is_used_though_it_is_not_its_first() {
    let bench = Bench::new();
    let keys = ["wrong1", "wrong2", "right"];
    let right = new_key(Algorithm::Ed25519);
    bench.add_key("wrong1", &new_key(Algorithm::Ed25519));
    bench.add_key("wrong2", &new_key(Algorithm::Ed25519));
    bench.add_key("right", &right);
    std::fs::remove_file(bench.path("id_ed25519")).unwrap();
    let Some(_agent) = agent(&bench, &keys) else { return };
    let server = Sshd::start(&[right.public_key().clone()], &Behaviour::default());
    bench.write("known_hosts", &server.known_as(0));
    let options = LaunchOptions { agent: Some(bench.path("agent")), ..bench.options() };
    succeed(&server.host(), &options);
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_agent_full_of_keys_does_not_keep_the_named_one_from_being_offered() {
    let bench = Bench::new();
    let names: Vec<String> = (0..8).map(|n| format!("wrong{n}")).collect();
    for name in &names {
        bench.add_key(name, &new_key(Algorithm::Ed25519));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["id_ed25519"]).collect();
    let Some(_agent) = agent(&bench, &names) else { return };
    let server = bench.server_that(&Behaviour { max_auth_tries: 2, ..Behaviour::default() });
    let options = LaunchOptions { agent: Some(bench.path("agent")), ..bench.options() };
    succeed(&server.host(), &options);
    assert_eq!(server.connections(), 1, "the agent's copy of the usual key came first");
}

#[test]
fn an_agent_unlocks_a_key_whose_file_is_protected() {
    let bench = Bench::new();
    let key = new_key(Algorithm::Ed25519);
    bench.add_key("id_ed25519", &key);
    let Some(_agent) = agent(&bench, &["id_ed25519"]) else { return };
    bench.add_key("id_ed25519", &key.encrypt(&mut rand::rng(), "open sesame").unwrap());
    let server = Sshd::start(&[key.public_key().clone()], &Behaviour::default());
    bench.write("known_hosts", &server.known_as(0));
    let options = LaunchOptions { agent: Some(bench.path("agent")), ..bench.options() };
    succeed(&server.host(), &options);
}

#[test]
fn an_agent_that_never_answers_is_skipped() {
    let bench = Bench::new();
    let server = bench.server();
    // Connections wait in the queue of the socket; nobody ever takes one.
    let _silent = UnixListener::bind(bench.path("agent")).unwrap();
    let options = LaunchOptions { agent: Some(bench.path("agent")), ..bench.options() };
    succeed(&server.host(), &options);
}
