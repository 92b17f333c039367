//! Tests of a run: of its parts, and of the launcher and its participants as one system of
//! processes.

mod check;
mod hosted;
mod journals;
mod recall;
#[cfg(feature = "script")]
mod scripts;
mod simulate;
mod world;

/// The simulator and the checker can run only what asks nothing of the world.
#[test]
fn launcher_and_participants_do_no_io() {
    let pure = [
        include_str!("../conductor.rs"),
        include_str!("../conductor/collecting.rs"),
        include_str!("../conductor/faults.rs"),
        include_str!("../conductor/joining.rs"),
        include_str!("../conductor/member.rs"),
        include_str!("../conductor/running.rs"),
        include_str!("../conductor/watching.rs"),
        include_str!("../participant.rs"),
        include_str!("../links.rs"),
    ];
    let code = pure.iter().flat_map(|file| file.lines()).filter(|line| !line.contains("//"));
    for line in code {
        let words = ["netkit", "Instant", "thread", "std::fs", "std::io", "runner::", "shell::"];
        assert!(!words.iter().any(|word| line.contains(word)), "{line}");
    }
}
