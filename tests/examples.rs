//! The programs in `engine/examples`: each runs to its end, and says so itself when something is not as it tells.

#[path = "../engine/examples/async_service.rs"]
mod async_service;
#[path = "../engine/examples/custom_sql.rs"]
mod custom_sql;
#[path = "../engine/examples/dataset.rs"]
mod dataset;
#[path = "../engine/examples/embed.rs"]
mod embed;
#[path = "../engine/examples/redaction.rs"]
mod redaction;

#[test]
fn every_example_runs() {
    embed::main().unwrap();
    async_service::main().unwrap();
    redaction::main().unwrap();
    dataset::main().unwrap();
    custom_sql::main().unwrap();
}
