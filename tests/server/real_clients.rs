//! Clients that others wrote, in Python: `tests/clients`, by pytest, against the binary of this very build.

use std::path::Path;
use std::process::Command;

use crate::support::{say, shared};
use crate::venv;

const BINARY: &str = env!("CARGO_BIN_EXE_tracehouse-under-test");

/// Runs the tests in a folder of `tests/clients`, with variables that they read.
fn pytest(folder: &str, variables: &[(&str, &str)]) {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let python = venv::python(&clients.join("requirements.txt"), "clients");
    let done = Command::new(python)
        .args(["-m", "pytest", "-q", "--durations=5"])
        .args(["-p", "no:cacheprovider", "."])
        .current_dir(clients.join(folder))
        .envs(variables.iter().copied())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{errors}");
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    say(&format!("pytest: {}", last.unwrap_or_default()));
}

/// All three in one test: they install their packages once.
#[test]
fn real_clients_send_and_ask() {
    pytest("exporters", &[("TRACEHOUSE", BINARY)]);
    let serve = format!("{BINARY} serve");
    pytest("flight_sql", &[("TRACEHOUSE_SERVER", &serve)]);
    let Some(data) = shared("data") else { return };
    let data = data.to_string_lossy();
    let variables = [
        ("TRACEHOUSE", BINARY),
        ("TRACEHOUSE_SERVER", BINARY),
        ("TRACEHOUSE_DATA", &data),
    ];
    pytest("assistants", &variables);
}
