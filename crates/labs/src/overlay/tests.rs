use super::ring::Closing;
use super::{Links, Overlay};
use crate::process::ProcessId;

fn all(overlay: Overlay, processes: u32) -> Vec<Links> {
    (0..processes).map(|rank| overlay.links(ProcessId(rank), processes)).collect()
}

const OVERLAYS: [Overlay; 4] = [
    Overlay::Ring(Closing::Forward),
    Overlay::Ring(Closing::First),
    Overlay::Star,
    Overlay::Complete,
];

#[test]
fn whatever_is_opened_is_accepted() {
    for overlay in OVERLAYS {
        for processes in 2..12 {
            let links = all(overlay, processes);
            for rank in 0..processes {
                let me = ProcessId(rank);
                let opened = links.iter().filter(|links| links.opens.contains(&me)).count();
                assert_eq!(opened, links[me.index()].accepts as usize, "{overlay:?} {me}");
                assert!(!links[me.index()].opens.contains(&me), "{overlay:?}: {me} opens itself");
            }
        }
    }
}

#[test]
fn each_overlay_has_its_number_of_connections() {
    let connections = |overlay| -> usize { all(overlay, 7).iter().map(|l| l.opens.len()).sum() };
    // The forward ring lacks the one that closes it: it is opened when the address has come.
    assert_eq!(OVERLAYS.map(connections), [6, 7, 6, 21]);
}

#[test]
fn the_two_ends_differ_when_the_first_is_known() {
    let links = all(Overlay::Ring(Closing::First), 5);
    assert_eq!((links[0].opens.len(), links[0].accepts), (0, 2));
    assert_eq!((links[4].opens.len(), links[4].accepts), (2, 0));
    assert!(links[1..4].iter().all(|l| (l.opens.len(), l.accepts) == (1, 1)));
}
