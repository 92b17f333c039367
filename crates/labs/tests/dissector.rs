//! The dissector for Wireshark names frames as the description of the wire format does. That it reads them right
//! is tested with tshark, on the testbed.

use std::fs;

/// A file of the repository.
fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The names in the table under this heading: `| 0 | Hello: it is here | |`. They must be numbered from 0.
fn documented(text: &str, heading: &str) -> Vec<String> {
    let (_, rest) = text.split_once(heading).unwrap();
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    rows.enumerate()
        .map(|(tag, row)| {
            assert_eq!(row[1], tag.to_string(), "{row:?}");
            row[2].split([':', ',']).next().unwrap().to_owned()
        })
        .collect()
}

/// The names in a table of the dissector: `local NAME = { [0] = "Hello", "Launched" }`.
fn dissected(text: &str, name: &str) -> Vec<String> {
    let (_, rest) = text.split_once(&format!("local {name} = {{")).unwrap();
    let (table, _) = rest.split_once('}').unwrap();
    table.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_frames_of_the_launcher_have_the_names_of_the_documentation() {
    let (format, dissector) = (read("docs/wire-format.md"), read("tools/wireshark/labs.lua"));
    for (heading, table) in [
        ("| tag | process → launcher | fields |", "TO_LAUNCHER_NAMES"),
        ("| tag | launcher → process | fields |", "TO_PROCESS_NAMES"),
    ] {
        let names = documented(&format, heading);
        assert!(names.len() > 4, "{names:?}");
        assert_eq!(dissected(&dissector, table), names);
    }
}
