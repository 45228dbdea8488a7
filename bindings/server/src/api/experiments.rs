//! `experiments`: those that traces are in, with how many and when.

use tracehouse::{SqlQuery, SqlValue};

use super::answer::Text;
use super::asked::Asked;
use super::{Answer, rows};
use crate::ask::ask;

/// `GET /api/v1/experiments`: all that the caller may see.
pub(super) async fn list(mut asked: Asked) -> Answer {
    asked.input().await?.end()?;
    let own = asked.caller.experiments().unwrap_or_default();
    let places: Vec<String> = (1..=own.len()).map(|at| format!("${at}")).collect();
    let within = match asked.caller.experiments() {
        None => String::new(),
        Some([]) => "WHERE false".into(),
        Some(_) => format!("WHERE experiment_id IN ({})", places.join(", ")),
    };
    let values = own.iter().zip(1_usize..);
    let query = SqlQuery {
        statement: format!(
            "SELECT experiment_id, count(*) AS trace_count, min(request_time) AS first_request_time, \
             max(request_time) AS last_request_time FROM traces {within} GROUP BY experiment_id ORDER BY experiment_id"
        ),
        parameters: values
            .map(|(id, at)| (at.to_string(), SqlValue::Text(id.clone())))
            .collect(),
        tables: Vec::new(),
    };
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        out.push("{\"experiments\":")?;
        let found = db.sql_batches(query)?;
        rows::array(&mut out, found.map(|batch| Ok(batch?)))?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}
