"""Values of a dataset's records as JSON text, and equal inputs; used by `_datasets` and its operations.

JSON has no numbers such as NaN, which a DataFrame is full of. MLflow writes them all the same; the database takes JSON
alone, so that they are objects there: `{"$double": "NaN"}`, as in the attributes of spans.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from tracehouse._otlp import number_object
from tracehouse.mlflow._attributes import NUMBERS


def json_text(value: Any) -> str:
    """A value as JSON text for the database.

    Raises:
        TypeError: something that JSON does not have.
        ValueError: a value that contains itself.
    """
    # Half of a pair of surrogates is no character; escaped, as all others here, it gets through.
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_stored(json.loads(json.dumps(value))))


def given_value(value: Any) -> Any:
    """A value of the database as it was given."""
    if isinstance(value, list):
        return [given_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and isinstance(word := value.get("$double"), str) and word in NUMBERS:
        return NUMBERS[word]
    return {key: given_value(item) for key, item in value.items()}


def input_key(inputs: Any) -> str:
    """What is equal for inputs that are the same to MLflow: the hash of their JSON with sorted keys.

    Raises:
        TypeError: something that JSON does not have, or keys that cannot be sorted.
    """
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _stored(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return number_object(value)
    if isinstance(value, dict):
        return {key: _stored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored(item) for item in value]
    return value
