//! `operations`: calls of the engine by name, for clients that have the engine's own interface (the Python package, and
//! MLflow on a server). What has a route of its own is asked there.
//!
//! ```text
//! name -> OPERATIONS (who may, whether it changes, function) -> arguments by serde -> ask or change -> {"result": ..}
//! ```
//!
//! **Invariants**
//! 1. An operation runs only for a caller who has one of its roles, and who may see all experiments.
//! 2. Carrying out an operation twice is the same as once: a client asks again when an answer was lost.
//! 3. Arguments and results are as serde has the engine's own types: times are Unix nanoseconds.

mod datasets;
mod deleting;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracehouse::Database;

use super::Answer;
use super::answer::Text;
use super::asked::Asked;
use crate::access::{Caller, Role};
use crate::ask::{ask, change};
use crate::error::{ApiError, quoted};

/// What arguments take of memory, in lengths of their text: as read, and as rows.
const READ_PARTS: usize = 2;

/// What can be called.
struct Operation {
    name: &'static str,
    way: Way,
    /// One of these is needed.
    roles: &'static [Role],
    /// Writes the answer to these arguments.
    run: fn(&Database, &str, &mut Text) -> Result<(), ApiError>,
}

/// How an operation is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As a question: within the limits of time, and given up when the client goes.
    Asks,
    /// As a change: to its end, and never by a read-only server.
    Changes,
    /// As a change that is found by a question, which has the server's limit of time.
    Builds,
}

/// A row of the table: the function takes its own arguments.
macro_rules! operation {
    ($way:ident $name:literal [$($role:ident)+] $run:path) => {
        Operation {
            name: $name,
            way: Way::$way,
            roles: &[$(Role::$role),+],
            run: |db, arguments, out| carry_out($name, arguments, out, |given| $run(db, given)),
        }
    };
}

/// All operations.
static OPERATIONS: [Operation; 24] = [
    operation!(Asks "explain" [Read] reading::explain),
    operation!(Asks "notices" [Read] reading::notices),
    operation!(Asks "sql_notices" [Read] reading::sql_notices),
    operation!(Asks "completed_sessions" [Read] reading::completed_sessions),
    operation!(Asks "filter_correlation" [Read] reading::filter_correlation),
    operation!(Asks "redaction" [Read] reading::redaction),
    operation!(Asks "prices" [Read] reading::prices),
    operation!(Changes "append" [Ingest Write] writing::append),
    operation!(Changes "start_traces" [Ingest Write] writing::start_traces),
    operation!(Changes "set_tag_on" [Write] writing::set_tag_on),
    operation!(Changes "delete_tags" [Write] writing::delete_tags),
    operation!(Changes "put_assessments" [Write] writing::put_assessments),
    operation!(Changes "link_run" [Write] writing::link_run),
    operation!(Changes "link_prompts" [Write] writing::link_prompts),
    operation!(Changes "delete_traces" [Admin] deleting::delete_traces),
    operation!(Changes "delete_where" [Admin] deleting::delete_where),
    operation!(Changes "erase_traces" [Admin] deleting::erase_traces),
    operation!(Asks "datasets_holding" [Read] datasets::holding),
    operation!(Builds "dataset_add" [Write] datasets::add),
    operation!(Asks "dataset_plan" [Read] datasets::plan),
    operation!(Changes "dataset_edit_records" [Write] datasets::edit_records),
    operation!(Changes "dataset_edit_tags" [Write] datasets::edit_tags),
    operation!(Changes "dataset_set_experiments" [Write] datasets::set_experiments),
    operation!(Asks "dataset_diff" [Read] datasets::diff),
];

/// `POST /api/v1/operations`: `operation` and its `arguments`.
pub(super) async fn call(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments("an operation")?;
    // Spans come by it.
    let bytes_max = asked.state.options.request_bytes_max;
    let mut input = asked.input_within(bytes_max).await?;
    let name = input.needed_text("operation")?;
    let arguments = input.json("arguments")?;
    input.end()?;
    let operation = find(&name)?;
    check_roles(&asked.caller, operation.roles)?;
    let mut read = asked.state.budget.begin();
    let length = arguments.as_deref().map_or(0, |text| text.get().len());
    read.add(length.saturating_mul(READ_PARTS))?;
    let mut out = Text::begin(&asked.state);
    let (run, limit) = (operation.run, asked.state.options.query_timeout);
    let is_limited = operation.way == Way::Builds;
    let carried_out = move |db: Database| {
        let _held = read;
        let db = match is_limited {
            true => db.with_timeout(limit),
            false => db,
        };
        let arguments = arguments.as_deref().map_or("{}", RawValue::get);
        run(&db, arguments, &mut out)?;
        Ok(out)
    };
    let out = match operation.way {
        Way::Asks => ask(&asked.state, carried_out).await?,
        Way::Changes | Way::Builds => change(&asked.state, carried_out).await?,
    };
    Ok(out.into_response())
}

fn find(name: &str) -> Result<&'static Operation, ApiError> {
    let found = OPERATIONS.iter().find(|operation| operation.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        ApiError::not_found(format!(
            "there is no operation {}: {} are known",
            quoted(name),
            known.join(", ")
        ))
    })
}

/// # Errors
/// 403 naming the roles of which one is needed.
fn check_roles(caller: &Caller, roles: &[Role]) -> Result<(), ApiError> {
    if roles.iter().any(|role| caller.check_role(*role).is_ok()) {
        return Ok(());
    }
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    Err(ApiError::forbidden(format!(
        "the token {:?} has not the role {}",
        caller.name,
        names.join(" or ")
    )))
}

/// Reads the arguments of an operation, runs it, and writes what it gives.
fn carry_out<A: DeserializeOwned, R: Serialize>(
    name: &str,
    arguments: &str,
    out: &mut Text,
    run: impl FnOnce(A) -> Result<R, ApiError>,
) -> Result<(), ApiError> {
    let given = serde_json::from_str(arguments)
        .map_err(|error| ApiError::bad_request(format!("arguments of {name}: {error}")))?;
    let result = run(given)?;
    out.push("{\"result\":")?;
    out.push_json(&result)?;
    out.push("}")
}
