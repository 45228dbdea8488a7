//! MCP on standard input and output: how a desktop assistant starts it. Who starts it owns the database.
//!
//! **Invariant** Nothing but messages of the protocol is written to standard output.

use std::sync::Arc;

use http::HeaderMap;
use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use rmcp::transport::stdio_pipes;
use tracehouse::Database;

use super::answer::{BYTES_MAX, BYTES_MIN};
use super::service::Assistant;
use crate::access::{Access, Role};
use crate::error::ServeError;
use crate::forward::Forward;
use crate::operate::Operate;
use crate::options::{LogLevel, ServeOptions};
use crate::state::State;

/// Threads that wait for the two streams.
const IO_THREADS: usize = 1;

/// Serves MCP on standard input and output until the input ends. `allow_writes` offers the tools that write, and
/// `byte_budget` is what an answer may have unless a call says otherwise.
///
/// # Errors
/// When the budget is none that an answer may have, when the other side does not speak MCP, and what closing the database
/// gives.
pub fn serve_stdio(db: Database, allow_writes: bool, byte_budget: usize) -> Result<(), ServeError> {
    if !(BYTES_MIN..=BYTES_MAX).contains(&byte_budget) {
        return Err(ServeError::new(format!(
            "answers of {byte_budget} bytes: {BYTES_MIN} to {BYTES_MAX} expected"
        )));
    }
    let options = ServeOptions {
        read_only: !allow_writes,
        mcp_writes: allow_writes,
        log_level: LogLevel::Warn,
        ..ServeOptions::default()
    };
    let access = Access::open(&options)?;
    // Without tokens everybody is the owner.
    let owner = access.admit(&HeaderMap::new(), Role::Read);
    let owner = owner.map_err(|error| ServeError::new(error.message))?;
    let drain_timeout = options.drain_timeout;
    let operate = Operate::start(&options, 0)?;
    let state = Arc::new(State::new(db, options, access, Forward::default(), operate));
    let assistant = Assistant::on_stdio(state.clone(), byte_budget, owner);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("mcp")
        .enable_all()
        .build()
        .map_err(|error| ServeError::new(format!("cannot start threads: {error}")))?;
    let served = runtime.block_on(serve(assistant));
    runtime.shutdown_timeout(drain_timeout);
    if allow_writes {
        state.db.close()?;
    }
    served
}

async fn serve(assistant: Assistant) -> Result<(), ServeError> {
    match assistant.serve(stdio_pipes()).await {
        Ok(running) => {
            // How it ended says only that the other side is gone.
            let _ = running.waiting().await;
            Ok(())
        }
        // Nobody said anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(ServeError::new(format!(
            "the other side of standard input and output does not speak MCP: {error}"
        ))),
    }
}
