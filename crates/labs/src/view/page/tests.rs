use super::*;

const HOSTILE: &str = "</script><script>alert(1)</script><!-- \u{2028} \" ' & \\";

fn page() -> String {
    let header = serde_json::json!({
        "trace": 2, "lab": HOSTILE, "verb": HOSTILE, "run": HOSTILE, "processes": 1, "seed": 1,
        "arguments": [HOSTILE],
    });
    let event = serde_json::json!({
        "process": 0, "n": 1, "lamport": 1, "at_us": 0, "event": "indication", "state": HOSTILE,
        "value": { "kind": HOSTILE, "text": HOSTILE },
    });
    let trace = format!("{header}\n{event}\n");
    let mut page = Vec::new();
    let mut drawn = super::super::draw(trace.as_bytes()).unwrap();
    assert!(drawn.add_logs([(ProcessId(0), 1, HOSTILE)].into_iter()));
    drawn.write(&mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// The block of JSON, from its tag to the next end of a script.
fn block(page: &str) -> &str {
    let (_, rest) = page.split_once("id=\"trace\">").unwrap();
    rest.split_once("</script>").unwrap().0
}

#[test]
fn no_text_of_a_trace_leaves_its_block() {
    let page = page();
    assert_eq!(page.matches("alert(1)").count(), block(&page).matches("alert(1)").count());
    assert_eq!(page.matches("<script").count(), 2);
    assert!(!block(&page).contains('<'));
}

#[test]
fn what_is_in_the_block_is_what_was_in_the_trace() {
    let page = page();
    let value: serde_json::Value = serde_json::from_str(block(&page)).unwrap();
    assert_eq!(value["header"]["lab"], HOSTILE);
    assert_eq!(value["chunks"][0]["strings"], serde_json::json!([HOSTILE]));
    let text = value["chunks"][1]["logs"][0][2].as_str().unwrap();
    assert!(text.contains("</script><script>alert(1)"), "{text}");
}

/// The program holds a `</script>` nowhere, or the browser would see half of it.
#[test]
fn the_program_is_one_script() {
    assert!(!program().contains("</script"));
    assert!(!STYLE.contains("</style"));
}

#[test]
fn the_policy_names_the_program_that_is_there() {
    let page = page();
    let (_, rest) = page.split_once("<script>").unwrap();
    let script = rest.split_once("</script>").unwrap().0;
    assert!(page.contains(&format!("script-src 'sha256-{}'", hash(script))));
}
