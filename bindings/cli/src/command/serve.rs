//! `serve`: receives OTLP and answers questions until a signal ends it. `token`: who may.
//! `mcp`: answers an assistant that started it.

use std::io::Write;
use std::time::Duration;

use serde_json::json;
use tracehouse::CancelToken;
use tracehouse_server::{ServeOptions, Server, ShutdownHandle, make_token, serve_stdio};

use super::{retain, write_json};
use crate::args::{McpArgs, ServeArgs, TokenArgs};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::interrupt;

/// How often it is looked whether a signal came.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Serves a database: where, is said on standard output once the ports are bound.
pub fn run(context: &Context, args: &ServeArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_serve(&args.db, args.read_only)?;
    let server = Server::bind(db, options(context, args))
        .map_err(|error| Failure::bad_input(error.to_string()))?;
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
    let reload = server.reload_handle();
    // What is wrong with the files is told in the server's log.
    interrupt::on_hangup(move || drop(reload.reload()));
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
    options.token_file.clone_from(&args.token_file);
    options.tls = args.tls_cert.clone().zip(args.tls_key.clone());
    options.insecure = args.insecure;
    options.mcp_writes = args.allow_writes;
    let rule = retain::rule(args.max_age, args.max_traces, args.max_size);
    options.retention = rule.into_iter().collect();
    options.log_level = args.log_level;
    options.forward.clone_from(&args.forward);
    options.forward_headers.clone_from(&args.forward_header);
    options.forward_bytes_max = args.forward_max_bytes as u64;
    options.forward_refuse_writes = args.forward_refuse_writes;
    options.forward_release.clone_from(&args.forward_release);
    options.audit_log.clone_from(&args.audit_log);
    if let Some(timeout) = context.timeout {
        options.query_timeout = timeout;
    }
    options
}

/// Answers an assistant until its input ends.
pub fn mcp(context: &Context, args: &McpArgs) -> Result<()> {
    let db = match args.allow_writes {
        true => context.open_to_serve(&args.db, false)?,
        false => context.open_to_read(&args.db)?,
    };
    serve_stdio(db, args.allow_writes, args.answer_bytes)
        .map_err(|error| Failure::failed(error.to_string()))
}

/// Makes a token: its text, which is shown this once, and its line of the token file.
pub fn token(context: &Context, args: &TokenArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let roles: Vec<&str> = args.roles.iter().map(String::as_str).collect();
    let experiments: Vec<&str> = args.experiment.iter().map(String::as_str).collect();
    let (token, line) = make_token(&args.name, &roles, &experiments)
        .map_err(|error| Failure::bad_input(error.to_string()))?;
    match context.json {
        true => write_json(out, &json!({"token": token, "line": line})),
        false => Ok(writeln!(out, "{token}\n{line}")?),
    }
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
