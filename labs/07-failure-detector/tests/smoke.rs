//! Real processes on loopback, stopped, continued and killed; and the program's other verbs as they are typed.

mod common;

use common::PROGRAM;

#[test]
fn a_quiet_run_holds_and_suspects_nobody() {
    let ran = PROGRAM.ran(&["run", "--watched", "2", "--interval", "50ms", "--duration", "1s"]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    assert_eq!(ran.report["processes"], 6);
    assert_eq!(ran.report["messages"]["HEARTBEAT"]["measured"], 20 * 6);
    assert!(ran.report["messages"]["SUSPECT"].is_null(), "{}", ran.report);
}
