//! Virtual environments of tests that need packages of Python: made once under `target/`, by name.
//!
//! One that is there already, with the same requirements, is used as it is, so that only the first run needs a package
//! index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder `target`, or whatever it is called.
fn target_folder() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.ancestors().nth(3).unwrap().to_path_buf()
}

/// The Python of the environment `name`, which has what a file of requirements asks for, and what one beside it named
/// `requirements-alone.txt` does, without what that asks for itself.
pub fn python(requirements: &Path, name: &str) -> PathBuf {
    let alone = requirements.with_file_name("requirements-alone.txt");
    let files = [requirements, &alone]
        .into_iter()
        .filter(|file| file.exists());
    let files: Vec<&Path> = files.collect();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let wanted: String = texts.collect();
    let venv = target_folder().join("test-python").join(name);
    let python = venv.join("bin/python");
    let mark = venv.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let missing = format!(
        "the tests `{name}` need packages of Python, which they install from the package index once"
    );
    let run = |command: &mut Command| {
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{missing}; {command:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "{missing}; {command:?} failed:\n{said}"
        );
    };
    fs::create_dir_all(&venv).unwrap();
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv));
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    for file in files {
        let no_deps = (file == alone).then_some("--no-deps");
        run(Command::new(&python).args(pip).arg(file).args(no_deps));
    }
    fs::write(&mark, wanted).unwrap();
    python
}
