"""A dataset: which version it is, and its first records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._html import element
from ._result import rows_table
from ._style import badge, dim, view
from ._units import time

if TYPE_CHECKING:
    from tracehouse.dataset import Dataset

_COLUMNS = ("inputs", "outputs", "expectations", "tags", "source_type", "source_trace_id")


def dataset_html(dataset: Dataset) -> str:
    """The view of a dataset."""
    info = dataset.info
    facts = [
        f"version {info.version}",
        f"{info.record_count:,} record" + ("" if info.record_count == 1 else "s"),
        f"changed {time(info.updated_at_ns)}",
    ]
    tags = [badge(f"{key}: {value}") for key, value in sorted(info.tags.items())]
    title = element("span", info.name, class_="th-title")
    head = element("div", title, *(dim(fact) for fact in facts), *tags, class_="th-head")
    rows = rows_table(dataset.rows(), _COLUMNS) if info.version > 0 else []
    return view(head, *rows)
