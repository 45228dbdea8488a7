"""Records as MLflow gives them, checked and made ready for the process that writes; used by `_datasets`.

A record that is ready has JSON texts (`inputs`, `outputs`, `expectations`, `tags`, `source_data`), the word
`source_type`, the `key` that tells its inputs from others, and `new_tags`: its tags if the dataset has no such inputs
yet. Only what was given is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.entities import DatasetRecordSource
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_USER

from tracehouse.mlflow import _dataset_entities as entities
from tracehouse.mlflow._dataset_json import input_key, json_text


def ready_record(given: Any) -> dict[str, str]:
    """A record for the operation `upsert_dataset_records`.

    Raises:
        MlflowException: it is not a dictionary, or a part of it is not what it must be.
    """
    if not isinstance(given, Mapping):
        raise _wrong(f"Each record must be a dictionary, not {type(given).__name__}")
    inputs = given.get("inputs", {})
    if not isinstance(inputs, Mapping):
        raise _wrong(f"The inputs of a record must be a dictionary, not {type(inputs).__name__}")
    expectations, tags = _members(given, "expectations"), _members(given, "tags")
    source_type, source_data = _source(given.get("source"))
    try:
        ready = {"key": input_key(inputs), "inputs": json_text(inputs), "source_type": source_type}
        if source_data:
            ready["source_data"] = json_text(source_data)
        if given.get("outputs") is not None:
            ready["outputs"] = json_text(given["outputs"])
        elif "outputs" in given:
            ready["outputs"] = "null"
            tags = {**tags, entities.OUTPUTS: None}
        if expectations:
            ready["expectations"] = json_text(expectations)
        if tags:
            ready["tags"] = json_text(tags)
        ready["new_tags"] = json_text({**tags, **_new_tags(given, tags, source_type)})
    except (TypeError, ValueError) as error:
        raise _wrong(f"A record is not JSON: {error}") from error
    return ready


def last_user(records: list[Any]) -> str | None:
    """Who, by the tags of the last of these records that says so."""
    users = [tags[MLFLOW_USER] for record in records if MLFLOW_USER in (tags := record.get("tags") or {})]
    return entities.user_text(users[-1]) if users else None


def refuse_hidden(keys: Any) -> None:
    """Refuses tags that the store itself uses.

    Raises:
        MlflowException: one of the keys is of a tag that MLflow would not see.
    """
    hidden = [key for key in keys if str(key).startswith(entities.HIDDEN)]
    if hidden:
        raise _wrong(f"Tag '{hidden[0]}': names that begin with '{entities.HIDDEN}' are taken")


def _new_tags(given: Mapping[str, Any], tags: Mapping[str, Any], source_type: str) -> dict[str, Any]:
    """The tags that only a record gets that was not there before."""
    new: dict[str, Any] = {}
    if tags.get(MLFLOW_USER) is not None:
        new[entities.CREATED_BY] = str(tags[MLFLOW_USER])
    # Without outputs MLflow has `{}`, and expectations that say nothing it keeps as they are.
    if "outputs" not in given and entities.missing_outputs(source_type) is None:
        new[entities.OUTPUTS] = {}
    expectations = given.get("expectations")
    if not expectations and expectations != entities.missing_expectations(source_type):
        new[entities.EXPECTATIONS] = expectations
    return new


def _members(given: Mapping[str, Any], part: str) -> dict[str, Any]:
    value = given.get(part)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(f"The {part} of a record must be a dictionary, not {type(value).__name__}")
    if part == "tags":
        refuse_hidden(value)
    return dict(value)


def _source(given: Any) -> tuple[str, Mapping[str, Any]]:
    """The word of a source and its data; no word where there is no source, or none that is specified.

    Raises:
        MlflowException: no such type, data that is not a dictionary, or members that a source does not have.
    """
    if not given:
        return "", {}
    try:
        source = DatasetRecordSource(**given) if isinstance(given, Mapping) else given
    except TypeError as error:
        raise _wrong(f"Invalid source of a record: {error}") from None
    if not isinstance(source, DatasetRecordSource) or not isinstance(source.source_data, Mapping):
        raise _wrong("The source of a record must be a dictionary with `source_type` and `source_data`")
    word = source.source_type.value
    if word != entities.UNSPECIFIED:
        return word, source.source_data
    return "", source.source_data or {entities.SOURCE_TYPE: word}


def _wrong(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)
