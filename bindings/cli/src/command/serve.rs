//! `serve`: receives OTLP and answers questions until a signal ends it.

use std::io::Write;
use std::time::Duration;

use serde_json::json;
use tracehouse::CancelToken;
use tracehouse_server::{ServeOptions, Server, ShutdownHandle};

use super::write_json;
use crate::args::ServeArgs;
use crate::context::Context;
use crate::failure::{Failure, Result};

/// How often it is looked whether a signal came.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Serves a database: where, is said on standard output once the ports are bound.
pub fn run(context: &Context, args: &ServeArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_serve(&args.db, args.read_only)?;
    let server = Server::bind(db, options(context, args))
        .map_err(|error| Failure::failed(error.to_string()))?;
    let (http, grpc) = (server.http_address(), server.grpc_address());
    match context.json {
        true => write_json(
            out,
            &json!({"http": http.to_string(), "grpc": grpc.to_string()}),
        )?,
        false => writeln!(out, "http {http} grpc {grpc}")?,
    }
    out.flush()?;
    stop_when(context.cancel.clone(), server.shutdown_handle());
    server
        .run()
        .map_err(|error| Failure::failed(error.to_string()))
}

fn options(context: &Context, args: &ServeArgs) -> ServeOptions {
    let mut options = ServeOptions::default();
    (options.http, options.grpc) = (args.http, args.grpc);
    options.experiment_id.clone_from(&args.experiment);
    options.request_bytes_max = args.max_request_bytes;
    options.read_only = args.read_only;
    if let Some(timeout) = context.timeout {
        options.query_timeout = timeout;
    }
    options
}

/// Stops the server once a signal has cancelled `cancel`.
fn stop_when(cancel: CancelToken, server: ShutdownHandle) {
    std::thread::spawn(move || {
        while !cancel.is_cancelled() {
            std::thread::sleep(LOOK_PAUSE);
        }
        server.shutdown();
    });
}
