use super::ring::Closing;
use super::{Links, Overlay};
use crate::process::ProcessId;

fn all(overlay: Overlay, processes: u32) -> Vec<Links> {
    (0..processes).map(|rank| overlay.links(ProcessId(rank), processes)).collect()
}

const OVERLAYS: [Overlay; 5] = [
    Overlay::Ring(Closing::Forward),
    Overlay::Ring(Closing::First),
    Overlay::Star,
    Overlay::Complete,
    Overlay::TwoLevels,
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
    assert_eq!(OVERLAYS.map(connections), [6, 7, 6, 21, 6]);
}

#[test]
fn the_two_ends_differ_when_the_first_is_known() {
    let links = all(Overlay::Ring(Closing::First), 5);
    assert_eq!((links[0].opens.len(), links[0].accepts), (0, 2));
    assert_eq!((links[4].opens.len(), links[4].accepts), (2, 0));
    assert!(links[1..4].iter().all(|l| (l.opens.len(), l.accepts) == (1, 1)));
}

/// Whatever the overlay, each process is started once.
#[test]
fn everyone_but_the_first_is_below_one_other() {
    for overlay in OVERLAYS {
        for processes in 2..12 {
            let mut below: Vec<_> =
                (0..processes).flat_map(|rank| overlay.below(ProcessId(rank), processes)).collect();
            below.sort();
            assert!(below.into_iter().eq((1..processes).map(ProcessId)), "{overlay:?}");
        }
    }
}

#[test]
fn two_levels_halve_the_others() {
    let below =
        |rank| Overlay::TwoLevels.below(ProcessId(rank), 7).map(|p| p.0).collect::<Vec<_>>();
    assert_eq!((below(0), below(1), below(2)), (vec![1, 2, 4, 6], vec![3, 5], vec![]));
}
