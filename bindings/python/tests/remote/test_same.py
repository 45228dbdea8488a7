"""The tests of a local database, against one behind a server.

Each test of `MODULES` that takes a database runs here with that of `conftest`; those that cannot are in `LOCAL`, with
the reason.
"""

from __future__ import annotations

import inspect
from types import ModuleType

import test_dataset
import test_figures
import test_import
import test_search
import test_sql
import test_trace
import test_write
from test_dataset import ds  # noqa: F401 a fixture
from test_trace import trace  # noqa: F401 a fixture

MODULES = (test_search, test_trace, test_write, test_sql, test_dataset, test_figures, test_import)
DATABASES = {"db", "sample_db", "ds", "trace"}
LOCAL = {
    "test_tables_of_the_caller": "a server takes no tables of its clients",
    "test_a_page_is_a_list_of_traces": "rows without spans do not say which span is the root",
    "test_traces_by_id": "the same",
    "test_views_are_of_a_handle": "a server keeps no views of its clients",
    "test_samples": "a server draws no samples of records",
    "test_quotas_and_the_newest_per_session": "a server has neither",
    "test_types_are_those_of_arrow": "pyarrow names them, and a server sends no views",
    "test_what_goes_wrong_in_another_library_is_ours": "what goes wrong after the first rows breaks the connection",
    "test_files": "a server reads and writes JSON lines alone",
}


def of_module(module: ModuleType) -> dict[str, object]:
    """The tests of a module that take a database."""
    return {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_") and callable(test) and DATABASES & set(inspect.signature(test).parameters)
    }


for _module in MODULES:
    for _name, _test in of_module(_module).items():
        if _name not in LOCAL:
            assert _name not in globals(), f"two tests are called {_name}"
            globals()[_name] = _test


def test_what_is_local_is_there() -> None:
    assert set(LOCAL) <= {name for module in MODULES for name in of_module(module)}
