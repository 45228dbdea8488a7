//! The shell and results of commands on a terminal: a scripted session through a pseudo-terminal, in
//! `terminal/session.py`, which says what it did. Python has pseudo-terminals without any package.

use std::process::Command;

use crate::command_line::Desk;
use crate::support::say;

#[test]
fn a_session_of_the_shell() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success()) {
        say("NOTICE: skipped, as there is no python3");
        return;
    }
    let desk = Desk::new();
    let done = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/terminal/session.py"))
        .args([env!("CARGO_BIN_EXE_tracehouse-under-test"), &desk.db()])
        .env("XDG_STATE_HOME", desk.path("state"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{}\n{}", text(&done.stdout), text(&done.stderr));
}
