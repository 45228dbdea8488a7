//! The records of a dataset: read page by page, merged, taken out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use serde_json::value::RawValue;
use tracehouse::{Database, MergeReport, NewRecord, Search};

use super::answer::{self, Text};
use super::asked::Asked;
use super::batches::{self, Batches};
use super::datasets::{WHAT, find};
use super::input::Input;
use super::period::Period;
use super::search::limit;
use super::{Answer, rows};
use crate::ask::{ask, change};
use crate::error::{ApiError, quoted};

/// Records of a page unless told otherwise.
const LIMIT: usize = 1_000;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// The version, `None` for the newest.
    version: Option<u32>,
    begin: usize,
}

impl Place {
    /// That of the parameters `version` and `page_token`.
    fn of(input: &mut Input) -> Result<Self, ApiError> {
        let version = version(input)?;
        let token = input.text("page_token")?.filter(|token| !token.is_empty());
        let Some(token) = token else {
            return Ok(Self { version, begin: 0 });
        };
        let place = Self::decode(&token).ok_or_else(|| {
            ApiError::bad_request(format!(
                "page_token is {}: the next_page_token of an answer expected",
                quoted(&token)
            ))
        })?;
        match version {
            Some(version) if Some(version) != place.version => Err(ApiError::bad_request(
                "page_token is one of another version than version says",
            )),
            _ => Ok(place),
        }
    }

    fn encode(version: u32, begin: usize) -> String {
        URL_SAFE_NO_PAD.encode(format!("{version}:{begin}"))
    }

    fn decode(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (version, begin) = text.split_once(':')?;
        let (version, begin) = (Some(version.parse().ok()?), begin.parse().ok()?);
        Some(Self { version, begin })
    }
}

/// The parameter `version`.
pub(super) fn version(input: &mut Input) -> Result<Option<u32>, ApiError> {
    let Some(version) = input.count("version")? else {
        return Ok(None);
    };
    let version = u32::try_from(version);
    version
        .map(Some)
        .map_err(|_| ApiError::not_found("there is no version of so great a number"))
}

/// `GET /api/v1/datasets/{name}/records`: a page of a version, with the columns of the table `dataset_records`.
pub(super) async fn list(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    let mut input = asked.input().await?;
    let (place, limit) = (
        Place::of(&mut input)?,
        limit(&asked.state, &mut input, LIMIT)?,
    );
    input.end()?;
    if asked.wants_arrow() {
        return batches::answer(&asked.state, None, move |db| {
            Ok(page(&db, &name, place, limit)?.1)
        })
        .await;
    }
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        let (version, page) = page(&db, &name, place, limit)?;
        out.push("{\"version\":")?;
        out.push_json(&version)?;
        out.push(",\"records\":")?;
        rows::array(&mut out, page.batches)?;
        out.push(",\"next_page_token\":")?;
        out.push_json(&page.next_page_token)?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

fn page(db: &Database, name: &str, place: Place, limit: usize) -> Result<(u32, Batches), ApiError> {
    let dataset = find(db, name)?;
    let newest = dataset.info()?.version;
    // A later page is of the version of the first, whatever comes meanwhile.
    let version = place.version.unwrap_or(newest);
    let records = dataset.records(Some(version))?;
    let begin = place.begin.min(records.num_rows());
    let count = limit.min(records.num_rows() - begin);
    let end = begin + count;
    let mut page = Batches::one(records.slice(begin, count));
    page.next_page_token = (end < records.num_rows()).then(|| Place::encode(version, end));
    Ok((version, page))
}

/// `POST /api/v1/datasets/{name}/records`: merges `records`, all or none, in one new version. As JSON lines each is kept or
/// reported by itself, as an export writes them.
pub(super) async fn merge(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    if let Some((input, lines)) = asked.lines().await? {
        input.end()?;
        let report = change(&asked.state, move |db| {
            Ok(find(&db, &name)?.merge_json_lines(lines.as_ref(), "body")?)
        });
        return reported(&asked, &report.await?);
    }
    let mut input = asked.input().await?;
    let list = input
        .list("records")?
        .ok_or_else(|| input.missing("records"))?;
    input.end()?;
    let records = list.iter().enumerate();
    let records: Vec<NewRecord> = records
        .map(|(at, record)| record_of(record, &format!("records[{at}]")))
        .collect::<Result<_, _>>()?;
    let report = change(&asked.state, move |db| {
        Ok(find(&db, &name)?.merge(&records)?)
    });
    reported(&asked, &report.await?)
}

fn record_of(record: &RawValue, place: &str) -> Result<NewRecord, ApiError> {
    let mut input = Input::of_object(record, place)?;
    let text = |value: Box<RawValue>| value.get().to_string();
    let inputs = input
        .json("inputs")?
        .ok_or_else(|| input.missing("inputs"))?;
    let mut record = NewRecord::new(text(inputs));
    record.outputs = input.json_or_null("outputs")?.map(text);
    record.expectations = input.json("expectations")?.map(text);
    record.tags = input.json("tags")?.map(text);
    if let Some(source) = input.json("source")? {
        let mut source = Input::of_object(&source, &format!("{place}.source"))?;
        record.source_type = Some(source.needed_text("source_type")?);
        record.source_data = source.json("source_data")?.map(text);
        source.end()?;
    }
    input.end()?;
    Ok(record)
}

fn reported(asked: &Asked, report: &MergeReport) -> Answer {
    answer::json(&asked.state, report)
}

/// `DELETE /api/v1/datasets/{name}/records?record_id=..`: a new version without these; those before keep them.
pub(super) async fn delete(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    let mut input = asked.input().await?;
    let ids = input.texts("record_id")?;
    if ids.is_empty() {
        return Err(input.missing("record_id"));
    }
    input.end()?;
    let deleted = change(&asked.state, move |db| {
        let dataset = find(&db, &name)?;
        Ok((dataset.delete_records(&ids)?, dataset.info()?.version))
    });
    let (deleted, version) = deleted.await?;
    answer::json(
        &asked.state,
        &json!({ "deleted": deleted, "version": version }),
    )
}

/// `POST /api/v1/datasets/{name}/traces`: a record for each trace that `filter` finds.
pub(super) async fn add_traces(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    let mut input = asked.input().await?;
    // Every trace is not added by an omission.
    let filter = input.needed_text("filter")?;
    let mut search =
        Search::new(Period::of(&mut input)?.within(filter)?).order_by(input.texts("order_by")?);
    search.limit = input.count("limit")?;
    search.experiments = asked.experiments(input.texts("experiment")?)?;
    input.end()?;
    let timeout = asked.state.options.query_timeout;
    let report = change(&asked.state, move |db| {
        let dataset = find(&db.with_timeout(timeout), &name)?;
        Ok(dataset.add_traces(&search)?)
    });
    reported(&asked, &report.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_place() {
        let place = Place {
            version: Some(3),
            begin: 1000,
        };
        assert_eq!(Place::decode(&Place::encode(3, 1000)), Some(place));
        for wrong in ["", "x", "MTox!", "LTE6MQ", "MToy Mw"] {
            assert_eq!(Place::decode(wrong), None, "{wrong}");
        }
    }
}
