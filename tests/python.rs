//! The Python package: its own tests (`bindings/python/tests`, by pytest) on the native module of this very build.
//!
//! What they need is installed once, in a virtual environment under `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::say;
use crate::venv;

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/python")
}

/// The native module: beside this test, where cargo puts what a test depends on.
fn library() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folders = own.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join("lib_native.so"))
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no lib_native.so beside {}", own.display()))
}

/// Runs pytest with the packages that a file of requirements asks for.
fn pytest(requirements: &str, venv: &str, arguments: &[&str]) {
    let python = venv::python(&package().join(requirements), venv);
    let done = Command::new(python)
        .args(["-m", "pytest", "--durations=10", "-p", "no:cacheprovider"])
        .args(arguments)
        .current_dir(package())
        .env("TRACEHOUSE_NATIVE", library())
        .env(
            "TRACEHOUSE_SERVER",
            env!("CARGO_BIN_EXE_tracehouse-under-test"),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    say(&format!("pytest: {}", last.unwrap_or_default()));
}

#[test]
fn the_tests_of_the_package_pass() {
    let arguments = ["--ignore", "tests/mlflow"];
    pytest("tests/requirements.txt", "package", &arguments);
}

/// Stores side by side: MLflow's own on SQLite, and the package's.
#[test]
fn mlflow_runs_on_a_database() {
    pytest("tests/mlflow/requirements.txt", "mlflow", &["tests/mlflow"]);
}
