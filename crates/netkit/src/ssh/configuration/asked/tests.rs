use std::time::Duration;

use super::*;

fn shell(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap()
}

fn in_time(script: &str, seconds: f32) -> io::Result<Said> {
    listen(&mut shell(script), Instant::now() + Duration::from_secs_f32(seconds))
}

#[test]
fn both_outputs_are_read_however_long_they_are() {
    let said = in_time("yes error | head -c 300000 >&2; yes | head -c 300000", 30.0).unwrap();
    assert_eq!((said.stdout.len(), said.stderr.len()), (300_000, 300_000));
    assert!(said.status.unwrap().success());
    let error = in_time("exec yes", 30.0).err().unwrap();
    assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
}

#[test]
fn what_goes_on_in_the_background_is_not_waited_for() {
    let begun = Instant::now();
    let said = in_time("sleep 60 & echo said; yes | head -c 300000 >&2", 30.0).unwrap();
    assert!(said.status.is_some_and(|status| status.success()));
    assert_eq!((&*said.stdout, said.stderr.len()), (&b"said\n"[..], 300_000));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn what_hangs_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", file.display());
    let begun = Instant::now();
    assert!(in_time(&script, 0.5).unwrap().status.is_none());
    assert!(begun.elapsed() < Duration::from_secs(10));
    let pid = std::fs::read_to_string(file).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    while stat().is_ok_and(|stat| !stat.contains(") Z")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the child lives");
        std::thread::yield_now();
    }
}
