use super::*;

#[test]
fn probe() {
    let Ok(path) = std::env::var("TH_PROBE") else { return };
    let mb: usize = std::env::var("TH_STACK_MB").map_or(64, |v| v.parse().unwrap());
    let mut context = context();
    let settings = SqlSettings { target_partitions: 1, ..SqlSettings::default() };
    context.runtime = Arc::new(QueryRuntime::with_stack(settings, mb << 20).unwrap());
    context.timeout = Some(Duration::from_secs(6));
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let (name, statement) = line.split_once('|').unwrap();
        eprint!("{name}: ");
        let settings = SqlSettings { target_partitions: 1, ..SqlSettings::default() };
        context.runtime = Arc::new(QueryRuntime::with_stack(settings, mb << 20).unwrap());
        let started = std::time::Instant::now();
        let result = run_sql(&context, statement);
        let shown = match result {
            Ok((_, batches)) => format!("ok {}", batches.iter().map(|b| b.num_rows()).sum::<usize>()),
            Err(error) => {
                format!("{:?} {}", error.kind(), error.message().chars().take(90).collect::<String>())
            }
        };
        eprintln!("{:?} {shown}", started.elapsed());
    }
}
