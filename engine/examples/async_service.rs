//! A service on tokio: stores what its requests trace without blocking the executor, and reads results as streams.

use std::error::Error;

use tokio::sync::mpsc;
use tracehouse::{Database, Search, Span, SpanBuilder, SpanStatus, batch_rows};

/// Spans that are stored, and synced to the disk, together.
const SPANS_TOGETHER: usize = 64;

pub(crate) fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    tokio::runtime::Builder::new_multi_thread()
        .build()?
        .block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let db = Database::in_memory()?;
    let (spans, received) = mpsc::channel(1_024);
    let writer = tokio::spawn(write(db.clone(), received));
    let requests: Vec<_> = (1..=200)
        .map(|number| tokio::spawn(handle(number, spans.clone())))
        .collect();
    for request in requests {
        request.await??;
    }
    drop(spans); // the writer stores what is left and ends
    writer.await??;

    let mut traces = db.search_stream(&Search::new("state = 'ERROR'"));
    while let Some(trace) = traces.next().await {
        println!("failed: {}", trace?.trace_id);
    }
    // Batch by batch: the result may be larger than memory. Dropping the stream cancels the query.
    let mut batches = db
        .sql_stream("SELECT name, count(*) FROM spans GROUP BY name")
        .await?;
    while let Some(batch) = batches.next().await {
        for (name, count) in batch_rows::<(String, u64)>(&batch?)? {
            println!("{name}: {count}");
            assert_eq!(count, 200);
        }
    }
    Ok(())
}

/// Answers a request and traces it.
async fn handle(
    number: u32,
    spans: mpsc::Sender<Span>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let status = if number.is_multiple_of(50) {
        SpanStatus::Error
    } else {
        SpanStatus::Ok
    };
    let start_ns = i64::from(number) * 1_000_000;
    let span = SpanBuilder::new(format!("{number:032x}"), format!("{number:016x}"), "handle")
        .times_ns(start_ns, Some(start_ns + 500_000))
        .status(status)
        .build()?;
    Ok(spans.send(span).await?)
}

/// Stores spans, many at a time: a call waits for the disk, so it is made on a thread that may block.
async fn write(
    db: Database,
    mut received: mpsc::Receiver<Span>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let mut spans = Vec::new();
        if received.recv_many(&mut spans, SPANS_TOGETHER).await == 0 {
            return Ok(());
        }
        let db = db.clone();
        tokio::task::spawn_blocking(move || db.append(&spans)).await??;
    }
}
