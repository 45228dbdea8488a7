//! Coverage-guided fuzzing of the targets in `tests/fuzz/targets`; run in this folder, see `.cargo/config.toml`:
//!
//! ```text
//! cp ../../Cargo.lock . ; cargo build
//! FUZZ_TARGET=filter target/x86_64-unknown-linux-gnu/debug/fuzz CORPUS -max_total_time=600 -max_len=4096
//! ```
//!
//! `CORPUS` is a folder for inputs that reach something new; the seeds are written there first.

#![no_main]

#[path = "../../data.rs"]
mod data;
#[allow(dead_code)]
#[path = "../../fuzz/targets/mod.rs"]
mod targets;

use std::path::Path;
use std::sync::OnceLock;

use targets::{TARGETS, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: start(), |input: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(input);
    }
});

fn start() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("FUZZ_TARGET is one of {}", names.join(", "));
    };
    // A panic that our code catches is no failure: only one that reaches the target is.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    if let Some(folder) = std::env::args().nth(1).filter(|folder| Path::new(folder).is_dir()) {
        for (at, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{at}")), seed).unwrap();
        }
    }
    TARGET.get_or_init(|| target);
}
