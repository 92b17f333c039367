use super::*;

#[test]
fn a_copy_is_of_the_same_lab() {
    assert_eq!(lab_of("token-ring-0123456789abcdef"), "token-ring");
    assert_eq!(lab_of("token-ring"), "token-ring");
    assert_eq!(lab_of("sh"), "sh");
}

#[test]
fn participants_stand_below_their_launcher() {
    let run: RunId = "20261122-071500-3f9a".parse().unwrap();
    let row = |rank, lab: &str| Row {
        run: run.clone(),
        rank,
        lab: lab.to_owned(),
        host: "lab01".to_owned(),
        pid: 7,
        since_s: 130,
        stopped: rank == Some(10),
    };
    let mut rows = [row(Some(10), "x"), row(Some(2), "x"), row(None, "token-ring")];
    rows.sort_unstable();
    name_labs(&mut rows);
    assert_eq!(
        table(&rows),
        "RUN                   LAB         WHO       HOST   PID  SINCE  STATE\n\
             20261122-071500-3f9a  token-ring  launcher  lab01  7    2 min  runs\n\
             20261122-071500-3f9a  token-ring  p2        lab01  7    2 min  runs\n\
             20261122-071500-3f9a  token-ring  p10       lab01  7    2 min  stopped\n"
    );
}
