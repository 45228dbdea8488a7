//! Datasets as a whole: they are of all experiments, and so for callers of all alone.

use serde_json::{Value, json};
use tracehouse::{Database, Dataset, DatasetInfo, NewDataset};

use super::asked::Asked;
use super::{Answer, answer, figures};
use crate::ask::{ask, change};
use crate::error::ApiError;

/// What is refused to callers of some experiments.
pub(super) const WHAT: &str = "a dataset";

/// The dataset of a name, or of an id: who has an id means no other one of the same name.
///
/// # Errors
/// 404 when there is none.
pub(super) fn find(db: &Database, name: &str) -> Result<Dataset, ApiError> {
    Ok(db
        .dataset(name)
        .or_else(|error| db.dataset_by_id(name).map_err(|_| error))?)
}

/// `GET /api/v1/datasets`.
pub(super) async fn list(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    asked.input().await?.end()?;
    let datasets = ask(&asked.state, |db| Ok(db.datasets()?)).await?;
    let shown: Vec<Value> = datasets.iter().map(shown).collect();
    answer::json(&asked.state, &json!({ "datasets": shown }))
}

/// `POST /api/v1/datasets`: `name`, `experiment_ids`, `tags`.
pub(super) async fn create(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let mut input = asked.input().await?;
    let mut new = NewDataset::new(input.needed_text("name")?);
    new.experiment_ids = input.texts("experiment_ids")?;
    new.tags = input.pairs("tags")?.into_iter().collect();
    input.end()?;
    let info = change(&asked.state, move |db| {
        Ok(db.create_dataset_with(new)?.info()?)
    });
    answer::json(&asked.state, &shown(&info.await?))
}

/// `GET /api/v1/datasets/{name}`: its newest version, and all that there are.
pub(super) async fn get(asked: Asked) -> Answer {
    let (state, (info, versions)) = described(asked).await?;
    let mut dataset = shown(&info);
    if let Some(members) = dataset.as_object_mut() {
        members.insert("versions".into(), versions.iter().map(shown).collect());
    }
    answer::json(&state, &dataset)
}

/// `GET /api/v1/datasets/{name}/versions`, oldest first.
pub(super) async fn versions(asked: Asked) -> Answer {
    let (state, (_, versions)) = described(asked).await?;
    let versions: Vec<Value> = versions.iter().map(shown).collect();
    answer::json(&state, &json!({ "versions": versions }))
}

type Described = (DatasetInfo, Vec<DatasetInfo>);

async fn described(mut asked: Asked) -> Result<(crate::state::Shared, Described), ApiError> {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    asked.input().await?.end()?;
    let described = ask(&asked.state, move |db| {
        let dataset = find(&db, &name)?;
        Ok((dataset.info()?, dataset.versions()?))
    });
    let described = described.await?;
    Ok((asked.state, described))
}

/// `DELETE /api/v1/datasets/{name}`: with all its versions.
pub(super) async fn delete(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments(WHAT)?;
    let name = asked.path("name")?;
    asked.input().await?.end()?;
    let info = change(&asked.state, move |db| {
        let info = find(&db, &name)?.info()?;
        db.delete_dataset(&info.name)?;
        Ok(info)
    });
    let info = info.await?;
    answer::json(
        &asked.state,
        &json!({ "deleted": info.name, "dataset_id": info.dataset_id }),
    )
}

/// The description of one version.
pub(super) fn shown(info: &DatasetInfo) -> Value {
    let json_text = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    json!({
        "dataset_id": info.dataset_id,
        "name": info.name,
        "version": info.version,
        "record_count": info.record_count,
        "created_at": figures::rfc3339(info.created_at_ns),
        "updated_at": figures::rfc3339(info.updated_at_ns),
        "experiment_ids": info.experiment_ids,
        "tags": info.tags,
        "query": info.query.as_deref().map(json_text),
        "schema": json_text(&info.schema),
    })
}
