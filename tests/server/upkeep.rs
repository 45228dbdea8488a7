//! The work between requests: retention and registered scorers, while a server runs.

use std::time::{Duration, Instant};

use tracehouse::eval::rule;
use tracehouse::{Database, Retention, Search, TraceStart};
use tracehouse_server::{LogLevel, ServeOptions, Server};

#[test]
fn old_traces_go_and_registered_scorers_judge_what_stays() {
    let db = Database::in_memory().unwrap();
    let started = |id: &str, ms: i64| {
        TraceStart::new(id, ms * 1_000_000)
            .state("OK")
            .duration_ns(1_000_000)
    };
    db.start_traces(&[started("a", 1), started("b", 2)])
        .unwrap();
    let scorer = rule("latency_ms:5000").unwrap();
    db.register_scorer(&scorer, "", 1.0).unwrap();
    let mut options = ServeOptions::default();
    options.http = "127.0.0.1:0".parse().unwrap();
    options.grpc = "127.0.0.1:0".parse().unwrap();
    options.log_level = LogLevel::Off;
    options.retention = vec![Retention::new().max_traces(1)];
    options.scorers_pause = Duration::from_millis(20);
    let server = Server::bind(db.clone(), options).unwrap();
    let stop = server.shutdown_handle();
    let served = std::thread::spawn(move || server.run());
    let begun = Instant::now();
    let is_done = || {
        let kept = db.search_traces(&Search::new("")).unwrap().traces;
        let reports = db.registered_reports().unwrap();
        let judged = reports.first().is_some_and(|report| report.judged > 0);
        kept.len() == 1 && kept[0].trace_id == "b" && judged
    };
    while !is_done() {
        let reports = db.registered_reports();
        assert!(begun.elapsed() < Duration::from_secs(30), "{reports:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    stop.shutdown();
    served.join().unwrap().unwrap();
}
