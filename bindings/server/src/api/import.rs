//! `import`: what `tracehouse import` reads, sent as one body. The answer is the report of the import.

use bytes::Bytes;
use tracehouse::{Database, ImportOptions, ImportReport};

use super::asked::Asked;
use super::input::Input;
use super::{Answer, answer};
use crate::access::Role;
use crate::ask::change;
use crate::error::{ApiError, quoted};

/// What an import takes of memory, in lengths of its body: the rows of what is read and not stored so far.
const READ_PARTS: usize = 2;
/// What the body is called in a report unless told otherwise.
const NAME: &str = "body";

/// What a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Traces,
    Assessments,
}

/// `POST /api/v1/import`: durable when it is answered. What was not kept is in the report; with `strict` the first of it
/// is an error, and what came before it stays.
pub(super) async fn import(mut asked: Asked) -> Answer {
    // Files name experiments of their own.
    asked.caller.check_all_experiments("an import")?;
    let bytes_max = asked.state.options.request_bytes_max;
    let (mut input, body) = asked.bytes(bytes_max).await?;
    let kind = kind(&mut input)?;
    if kind == Kind::Assessments {
        asked.caller.check_role(Role::Write)?;
    }
    let options = options(&mut input, &asked.state.options.experiment_id)?;
    input.end()?;
    let mut read = asked.state.budget.begin();
    read.add(body.len().saturating_mul(READ_PARTS))?;
    let state = asked.state.clone();
    let report = change(&asked.state, move |db| {
        let _held = read;
        let stored = store(&db, kind, &body, &options);
        state.operate.figures.stored(&stored);
        Ok(stored?)
    });
    answer::json(&asked.state, &report.await?)
}

/// The parameter `kind`.
fn kind(input: &mut Input) -> Result<Kind, ApiError> {
    match input.text("kind")?.as_deref() {
        None | Some("traces") => Ok(Kind::Traces),
        Some("assessments") => Ok(Kind::Assessments),
        Some(other) => Err(ApiError::bad_request(format!(
            "kind is {}: traces or assessments expected",
            quoted(other)
        ))),
    }
}

fn options(input: &mut Input, experiment_id: &str) -> Result<ImportOptions, ApiError> {
    let told = input.text_or_number("experiment_id")?;
    let experiment_id = told.unwrap_or_else(|| experiment_id.to_string());
    Ok(ImportOptions::default()
        .experiment_id(experiment_id)
        .strict(input.flag("strict")?)
        .name(input.text("name")?.unwrap_or_else(|| NAME.to_string())))
}

fn store(
    db: &Database,
    kind: Kind,
    body: &Bytes,
    options: &ImportOptions,
) -> tracehouse::Result<ImportReport> {
    match kind {
        Kind::Traces => db.import(body.as_ref(), options, &mut |_| {}),
        Kind::Assessments => db.import_assessments(body.as_ref(), options),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, header};
    use serde_json::{Value, json};

    use crate::access::{Caller, Role};
    use crate::api::tests::{Api, bytes_of};
    use crate::options::ServeOptions;

    async fn import(api: &Api, query: &str, body: String) -> (u16, Value) {
        let request = Request::post(format!("/api/v1/import{query}"))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        let answer = api.send(request.body(Body::from(body)).unwrap()).await;
        let status = answer.status().as_u16();
        let body = bytes_of(answer).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn line(trace_id: u8) -> String {
        let span = json!({
            "traceId": format!("{trace_id:032x}"), "spanId": "00000000000000a1", "name": "chat",
            "startTimeUnixNano": "5", "endTimeUnixNano": "9",
        });
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_import_is_answered_with_its_report() {
        let api = Api::new();
        let body = format!("{}\n{{\"nothing\": 1}}\n{}\n", line(7), line(8));
        let (status, report) = import(&api, "?experiment_id=9&name=file.jsonl", body.clone()).await;
        assert_eq!(
            (status, &report["spans"], &report["rejected_count"]),
            (200, &json!(2), &json!(1)),
            "{report}"
        );
        let rejected = &report["rejected"][0];
        assert_eq!(
            (&rejected["file"], &rejected["line"]),
            (&json!("file.jsonl"), &json!(2))
        );
        let found = api.found("/api/v1/search?experiment=9&count=true").await;
        assert_eq!(found["count"], 2);
        let (status, refused) = import(&api, "?strict", body).await;
        assert_eq!(
            (status, &refused["error"]["kind"]),
            (400, &json!("InvalidInput"))
        );
        let verdict = json!({"trace_id": format!("{:032x}", 7), "name": "correct", "value": true, "source": "HUMAN:ana"});
        let (status, report) = import(&api, "?kind=assessments", format!("{verdict}\n")).await;
        assert_eq!(
            (status, &report["assessments"]),
            (200, &json!(1)),
            "{report}"
        );
        assert_eq!(import(&api, "?kind=logs", String::new()).await.0, 400);
        assert_eq!(import(&api, "?strct", String::new()).await.0, 400);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_import_is_for_senders_to_all_experiments() {
        let api = Api::of(
            Caller::limited(&[Role::Ingest], &["9"]),
            ServeOptions::default(),
        );
        assert_eq!(import(&api, "", line(7)).await.0, 403);
        let api = Api::of(Caller::limited(&[Role::Read], &[]), ServeOptions::default());
        assert_eq!(import(&api, "", line(7)).await.0, 403);
    }
}
