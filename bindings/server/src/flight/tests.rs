//! A bound server and the library's own client: what a command line cannot set. Other clients are in the tests of Python.

use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightInfo;
use arrow_flight::error::{FlightError, Result};
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tracehouse::Database;

use crate::{ServeOptions, Server};

type Client = FlightSqlServiceClient<Channel>;

/// More than the messages and batches that wait for a reader.
const MANY: &str = "SELECT value, repeat('a text ', 100) AS text FROM generate_series(1, 100000)";
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 10000000) AS a(x), generate_series(1, 10000000) AS b(y) WHERE x * y = 7";

fn with_client<F: Future<Output = ()>>(
    change: impl FnOnce(&mut ServeOptions),
    test: impl FnOnce(Client) -> F,
) {
    let mut options = ServeOptions {
        http: "127.0.0.1:0".parse().unwrap(),
        grpc: "127.0.0.1:0".parse().unwrap(),
        ..ServeOptions::default()
    };
    change(&mut options);
    let server = Server::bind(Database::in_memory().unwrap(), options).unwrap();
    let (address, stop) = (server.grpc_address(), server.shutdown_handle());
    let served = std::thread::spawn(move || server.run());
    let threads = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    threads.block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        test(Client::new(endpoint.connect().await.unwrap())).await;
    });
    drop(threads);
    stop.shutdown();
    served.join().unwrap().unwrap();
}

async fn read(client: &mut Client, info: &FlightInfo) -> Result<Vec<RecordBatch>> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    client.do_get(ticket).await.unwrap().try_collect().await
}

fn code(error: &FlightError) -> Code {
    match error {
        FlightError::Tonic(status) => status.code(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_question_that_takes_too_long_ends() {
    let limit = Duration::from_millis(300);
    with_client(
        |options| options.query_timeout = limit,
        |mut client| async move {
            let info = client.execute(ENDLESS.into(), None).await.unwrap();
            let error = read(&mut client, &info).await.unwrap_err();
            assert_eq!(code(&error), Code::DeadlineExceeded, "{error}");
            assert!(error.to_string().contains("its limit of 0.3 s"), "{error}");
        },
    );
}

#[test]
fn the_time_of_a_reader_is_none_of_the_questions() {
    let limit = Duration::from_secs(5);
    with_client(
        |options| options.query_timeout = limit,
        |mut client| async move {
            let info = client.execute(MANY.into(), None).await.unwrap();
            let ticket = info.endpoint[0].ticket.clone().unwrap();
            let mut rows = client.do_get(ticket).await.unwrap();
            let mut count = rows.try_next().await.unwrap().unwrap().num_rows();
            tokio::time::sleep(limit + Duration::from_secs(1)).await;
            while let Some(batch) = rows.try_next().await.unwrap() {
                count += batch.num_rows();
            }
            assert_eq!(count, 100_000);
        },
    );
}

#[test]
fn one_turn_is_enough_for_many_readers() {
    with_client(
        |options| options.queries_max = 1,
        |mut client| async move {
            // None of them is read, and all have begun.
            let mut infos = Vec::new();
            for _ in 0..10 {
                infos.push(client.execute(MANY.into(), None).await.unwrap());
            }
            for info in infos.iter().rev() {
                let rows = read(&mut client, info).await.unwrap();
                assert_eq!(
                    rows.iter().map(RecordBatch::num_rows).sum::<usize>(),
                    100_000
                );
            }
        },
    );
}

#[test]
fn a_prepared_statement_has_the_schema_of_its_result() {
    with_client(
        |_| {},
        |mut client| async move {
            let text = "SELECT count(*) AS n FROM spans WHERE model = $1 LIMIT $2";
            let mut prepared = client.prepare(text.into(), None).await.unwrap();
            let names = prepared.parameter_schema().unwrap();
            assert_eq!(names.fields().len(), 2);
            assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "n");
            let values = RecordBatch::try_from_iter([
                (
                    "1",
                    std::sync::Arc::new(arrow::array::StringArray::from(vec!["m"])) as _,
                ),
                (
                    "2",
                    std::sync::Arc::new(arrow::array::Int64Array::from(vec![1])) as _,
                ),
            ]);
            prepared.set_parameters(values.unwrap()).unwrap();
            let info = prepared.execute().await.unwrap();
            let rows = read(&mut client, &info).await.unwrap();
            assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 0);
            prepared.close().await.unwrap();
            for wrong in ["SELECT nothing FROM spans", "DROP TABLE spans"] {
                let refused = client.prepare(wrong.into(), None).await;
                assert!(refused.is_err(), "{wrong}");
            }
        },
    );
}
