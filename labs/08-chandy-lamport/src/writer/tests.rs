use super::*;
use crate::bank::Account;
use crate::claim::Claim;
use crate::pace::Pace;
use crate::snapshot::Recording;
use crate::wave::Wave;
use crate::work::State;

fn recorded(number: u32) -> Indication<Work> {
    let pace = Pace { tick: std::time::Duration::from_millis(1), left: None };
    let wave = Wave { number, initiator: ProcessId(0) };
    let state = Work::new(State::Bank(Account { count: 1, money: 5 }), pace);
    let recording = Recording::new(wave, state, Vec::new(), [ProcessId(1)].into_iter());
    Indication::Recorded(recording.into())
}

fn owner(execution: &str) -> Owner {
    Owner { execution: execution.to_owned(), last_number: 9 }
}

fn tell(writer: &mut Writer, indication: &Indication<Work>) -> io::Result<()> {
    let asked: Vec<Request<()>> = writer.on_indication(indication)?;
    assert!(asked.is_empty());
    Ok(())
}

/// A process of a run that was killed may live a little longer than its launcher.
#[test]
fn who_is_left_over_writes_nothing_into_the_folder_of_the_next_run() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a");
    let claim = Claim::of(&folder).unwrap();
    claim.give_to(&owner("one")).unwrap();
    let open = |name| Writer::open(folder.clone(), Place::simulated(0, 2), owner(name));
    let mut writer = open("one").unwrap();
    tell(&mut writer, &recorded(1)).unwrap();
    claim.give_to(&owner("next")).unwrap();
    let error = tell(&mut writer, &recorded(2)).unwrap_err().to_string();
    assert!(error.contains("another run has taken the folder"), "{error}");
    assert_eq!(Folder::open(&folder).unwrap().last_number(), 1);
    assert!(open("one").unwrap_err().to_string().contains("checkpoints of another run"));
    // The next run goes on in it, and discards what is not complete when it has begun.
    let mut next = open("next").unwrap().going_on_with(2);
    assert_eq!(Folder::open(&folder).unwrap().last_number(), 1);
    tell(&mut next, &Indication::Restored(0)).unwrap();
    assert!(Folder::open(&folder).unwrap().is_empty());
}
