//! Starting processes here, and the gates that limit how many are started at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::queue::Permit;
use super::*;

/// A shell script as a job.
fn script(text: &str) -> Job {
    Job {
        program: Program::Here("/bin/sh".into()),
        arguments: vec!["-c".to_owned(), text.to_owned()],
        environment: vec![("COLOUR".to_owned(), "green".to_owned())],
        stdin: b"secret".to_vec(),
    }
}

fn fault(job: &Job) -> String {
    let error = local::start(job, Duration::from_millis(500)).unwrap_err();
    assert_eq!((error.host.as_str(), error.stage), ("localhost", Stage::Start));
    error.what
}

#[test]
fn a_program_gets_its_input_and_environment_and_answers() {
    let job = script(r#"[ "$(cat)-$COLOUR" = secret-green ] && echo noise && echo @@netkit ok 42"#);
    assert_eq!(start_here(&job), Ok(42));
}

#[test]
fn more_input_than_a_pipe_holds_is_written_while_output_is_read() {
    let mut job = script("cat > /dev/null; echo @@netkit ok 42");
    job.stdin = vec![b'x'; MAX_STDIN];
    assert_eq!(start_here(&job), Ok(42));
    job.stdin.push(b'x');
    assert!(fault(&job).contains("longer than"));
}

#[test]
fn a_program_that_reads_no_input_is_no_error() {
    let mut job = script("exec <&-; echo @@netkit ok 42");
    job.stdin = vec![b'x'; MAX_STDIN];
    assert_eq!(start_here(&job), Ok(42));
}

#[test]
fn a_program_that_fails_is_shown_with_its_last_words() {
    let missing = Job { program: Program::Here("/no/such".into()), ..script("") };
    assert!(
        fault(&missing).starts_with("cannot run /no/such: No such file"),
        "{}",
        fault(&missing)
    );
    let table = [
        ("echo @@netkit error port in use; exit 1", "port in use"),
        ("echo one; echo two >&2; exit 3", "ended (exit status: 3) before it was ready: two"),
        ("echo one; exit 0", "ended (exit status: 0) before it was ready: one"),
        ("kill -9 $$", "ended (signal: 9 (SIGKILL)) before it was ready"),
        ("echo waiting; exec sleep 60", "was not ready within 0.5 s: waiting"),
        ("echo @@netkit ok 42; exec sleep 60", "said that it is ready but did not detach"),
        ("exec yes", "before it was ready: y"),
    ];
    for (text, what) in table {
        let found = fault(&script(text));
        assert!(found.ends_with(what), "{text}: {found}");
    }
}

#[test]
fn a_program_that_is_given_up_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let begun = Instant::now();
    fault(&script(&format!("echo $$ > {}; exec sleep 60", file.display())));
    assert!(begun.elapsed() < Duration::from_secs(10));
    let pid = std::fs::read_to_string(file).unwrap();
    assert!(!std::fs::exists(format!("/proc/{}", pid.trim())).unwrap());
}

#[test]
fn an_error_is_one_line_with_what_to_do() {
    let error = LaunchError::new("lab02", Stage::HostKey, "it is not known", "use --accept-new");
    assert_eq!(error.to_string(), "lab02: host key: it is not known; use --accept-new");
    let error = LaunchError::new("lab02", Stage::Start, "port in use", "");
    assert_eq!(error.to_string(), "lab02: start: port in use");
}

/// Tasks that name servers by port.
fn tasks_at(ports: &[u16]) -> VecDeque<Task> {
    let options =
        LaunchOptions { ssh_folder: Some("/no/such/folder".into()), ..LaunchOptions::default() };
    let task = |(host, &port): (usize, &u16)| {
        let line = Host { port: Some(port), ..Host::new("127.0.0.1") };
        let target = Target::resolve(&line, &options).unwrap();
        Task { host, ranks: vec![host as u32], place: Place::At(Box::new(target)) }
    };
    ports.iter().enumerate().map(task).collect()
}

#[test]
fn a_server_has_at_most_eight_tasks_and_delays_no_other() {
    let mut ports = [1; 20];
    ports[19] = 2;
    let queue = Queue::new(tasks_at(&ports));
    let mut inside: Vec<(Task, Permit<'_>)> = (0..9).map(|_| queue.next().unwrap()).collect();
    let hosts: Vec<usize> = inside.iter().map(|(task, _)| task.host).collect();
    assert_eq!(hosts, [0, 1, 2, 3, 4, 5, 6, 7, 19], "the ninth goes to the other server");
    drop(inside.remove(3));
    assert_eq!(queue.next().unwrap().0.host, 8);
}

#[test]
fn many_threads_pass_the_gate_and_all_is_done() {
    let queue = Queue::new(tasks_at(&[1; 100]));
    let (now, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let Some((_task, permit)) = queue.next() {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 100);
    assert!((1..=CONNECTIONS_PER_SERVER).contains(&most.into_inner()));
}

#[test]
fn a_task_that_is_put_back_is_waited_for() {
    let hosts = Hosts::parse("127.0.0.1").unwrap();
    let queue = Queue::new(tasks(&hosts, &[0]));
    let (task, permit) = queue.next().unwrap();
    assert!(matches!(task.place, Place::Somewhere));
    thread::scope(|scope| {
        let other = scope.spawn(|| queue.next().map(|(task, _)| task.host));
        queue.put_back(tasks_at(&[1]).remove(0).unwrap());
        drop(permit);
        assert_eq!(other.join().unwrap(), Some(0));
    });
    assert!(queue.next().is_none());
}

#[test]
fn ranks_of_one_machine_share_a_task_and_local_ones_do_not() {
    let hosts = Hosts::parse("a slots=2\nlocalhost slots=2\nb").unwrap();
    let tasks = tasks(&hosts, &hosts.place(7));
    let shape: Vec<(usize, &[u32])> =
        tasks.iter().map(|task| (task.host, task.ranks.as_slice())).collect();
    assert_eq!(shape, [(0, &[0, 1, 5, 6][..]), (2, &[4]), (1, &[2]), (1, &[3])]);
}
