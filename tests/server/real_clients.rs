//! Clients that others wrote, in Python and for Node: `tests/clients`, by pytest, against the binary of this very build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{say, shared};
use crate::venv;

const BINARY: &str = env!("CARGO_BIN_EXE_tracehouse-under-test");

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Runs the tests in a folder of `tests/clients`, with variables that they read.
fn pytest(folder: &str, variables: &[(&str, &str)]) {
    let python = venv::python(&clients().join("requirements.txt"), "clients");
    let done = Command::new(python)
        .args(["-m", "pytest", "-q", "--durations=5"])
        .args(["-p", "no:cacheprovider", "."])
        .current_dir(clients().join(folder))
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

/// The packages of `tests/clients/node`: those of its lock file, installed once under `target/`.
fn node_packages() -> PathBuf {
    const MISSING: &str = "the exporters of OpenTelemetry's SDK for Node are tested with Node from 18.19 on and npm, \
                           which installs their packages from the package index once: apt-get install nodejs npm";
    let run = |command: &mut Command| {
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{MISSING}; {command:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "{MISSING}; {command:?} failed:\n{said}"
        );
    };
    run(Command::new("node").arg("--version"));
    let target = Path::new(BINARY).ancestors().nth(2).unwrap();
    let (from, folder) = (clients().join("node"), target.join("test-node"));
    let files = ["package.json", "package-lock.json"];
    let texts = files.map(|name| fs::read_to_string(from.join(name)).unwrap());
    let (packages, mark) = (folder.join("node_modules"), folder.join("installed.txt"));
    let wanted = texts.concat();
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return packages;
    }
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files.iter().zip(texts) {
        fs::write(folder.join(name), text).unwrap();
    }
    // No package has to run anything to be installed.
    let arguments = [
        "ci",
        "--engine-strict",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ];
    run(Command::new("npm").args(arguments).current_dir(&folder));
    fs::write(&mark, wanted).unwrap();
    packages
}

/// All three in one test: they install their packages once.
#[test]
fn real_clients_send_and_ask() {
    let packages = node_packages();
    let packages = packages.to_string_lossy();
    pytest(
        "exporters",
        &[("TRACEHOUSE", BINARY), ("NODE_PATH", &packages)],
    );
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
