"""How results look in a notebook: `_repr_html_` of traces, results, datasets, sessions and evaluations.

Each view is one piece of HTML with its style inside, for Jupyter, VS Code, Colab and saved notebooks: no script,
nothing from the network. Every text of a trace is escaped, and cut where it is long; the objects have it in full.

    trace (tree, waterfall, messages) -> _trace -> _tree, _waterfall, _messages -+
    result, dataset -> _result, _dataset;  sessions -> _sessions ----------------+-> _style -> _html (escapes)
    runs, comparisons -> _evaluation --------------------------------------------+
"""

from __future__ import annotations

from ._dataset import dataset_html
from ._evaluation import comparison_html, eval_html, groups_html
from ._result import result_html
from ._sessions import sessions_html
from ._trace import trace_html

__all__ = [
    "comparison_html",
    "dataset_html",
    "eval_html",
    "groups_html",
    "result_html",
    "sessions_html",
    "trace_html",
]
