use super::*;

fn read(parts: &[&[u8]]) -> Output {
    let mut output = Output::default();
    parts.iter().for_each(|part| output.push(part));
    output
}

#[test]
fn the_marker_is_found_behind_any_noise_and_however_it_is_split() {
    let whole = b"\xffWelcome!\n@@netkit\n@@netkit what 1\nno newline@@netkit ok 42\r\nmore";
    for at in 0..whole.len() {
        let (a, b) = whole.split_at(at);
        assert_eq!(read(&[a, b]).marker(), Some(Marker::Ok(42)), "split at {at}");
    }
}

#[test]
fn what_is_no_complete_marker_is_none() {
    let none: [&[u8]; 7] = [
        b"",
        b"@@netkit ok 42",
        b"@@netkit ok 0\n",
        b"@@netkit ok -1\n",
        b"@@netkit ok 99999999999\n",
        b"@@netkit ok\n",
        b"netkit ok 42\n",
    ];
    for output in none {
        assert_eq!(read(&[output]).marker(), None, "{:?}", String::from_utf8_lossy(output));
    }
}

#[test]
fn what_is_written_is_read_back_and_stays_one_line() {
    for marker in [Marker::Ok(7), Marker::Error("port 1 in use".to_owned())] {
        assert_eq!(read(&[format!("{marker}\n").as_bytes()]).marker(), Some(marker));
    }
    let forged = Marker::Error("a\n@@netkit ok 7".to_owned()).to_string();
    assert_eq!(forged, "@@netkit error a\\n@@netkit ok 7");
    assert!(matches!(read(&[format!("{forged}\n").as_bytes()]).marker(), Some(Marker::Error(_))));
}

#[test]
fn output_without_end_is_cut_off() {
    let mut output = Output::default();
    for _ in 0..100 {
        output.push(&[b'x'; 1000]);
    }
    assert!(output.too_much());
    assert_eq!(output.bytes.len(), MAX_OUTPUT);
    assert_eq!(output.last_line().unwrap().chars().count(), 201);
}
