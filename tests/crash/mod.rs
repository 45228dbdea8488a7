//! What survives a power cut, a failing disk and damage: the store over a simulated disk (ST-1 to ST-6).
//!
//! `TRACEHOUSE_CRASH_STATES` sets how many states of power cuts are gone through at least,
//! `TRACEHOUSE_CRASH_MUTATIONS` how many files are damaged, `TRACEHOUSE_SEED` the first seed of both, and
//! `TRACEHOUSE_CRASH_FAULTS=1` makes the sweep of faults a full one. Each prints what it did.

mod damage;
mod disk;
mod enumerate;
mod fault;
mod faults;
mod files;
mod holds;
mod lives;
mod model;
mod mutants;
mod sim;
mod states;
mod workload;
