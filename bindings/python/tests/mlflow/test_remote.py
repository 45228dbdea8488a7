"""MLflow's store with its traces behind a server: the tests of the local store, and many processes on one server."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import quote

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "remote"))

import test_datasets
import test_datasets_search
import test_measuring
import test_traces
from model_pair import SqlAlchemyStore, TracehouseStore
from remote_server import serving

from tracehouse.errors import InvalidInputError
from tracehouse.mlflow._remote import RemoteAccess, RemoteLocation

MODULES = (test_traces, test_measuring, test_datasets, test_datasets_search)
LOCAL: dict[str, str] = {}
"""Tests that cannot run here, with the reason."""


def uri_of(url: str, folder: Path) -> str:
    """The URI of a store on a server, with its other database in a folder."""
    place = quote(str(folder))
    return f"tracehouse+{url}?metadata=sqlite:///{place}/metadata.db&artifacts={place}/artifacts"


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    """The URI of a store on a server with an empty database."""
    with serving(tmp_path / "server.traces") as running:
        yield uri_of(running.url, tmp_path)


@pytest.fixture
def stores(uri: str, tmp_path: Path) -> SimpleNamespace:
    """`ours`, behind a server, and `theirs`, as the local tests have them."""
    ours = TracehouseStore(uri, str(tmp_path / "ours"))
    theirs = SqlAlchemyStore(f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "artifacts"))
    for store in (ours, theirs):
        store.create_experiment("one")
    return SimpleNamespace(ours=ours, theirs=theirs, both=(ours, theirs))


def of_module(module: ModuleType) -> dict[str, object]:
    """The tests of a module that take the stores."""
    return {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_") and callable(test) and "stores" in inspect.signature(test).parameters
    }


for _module in MODULES:
    for _name, _test in of_module(_module).items():
        if _name not in LOCAL:
            assert _name not in globals(), f"two tests are called {_name}"
            globals()[_name] = _test


CLIENT = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("web")
@mlflow.trace
def answer(number):
    with mlflow.start_span("double", span_type="TOOL") as span:
        span.set_inputs({"number": number})
        span.set_outputs(2 * number)
    return 2 * number
for number in range(10):
    answer(number)
mlflow.flush_trace_async_logging()
traces = mlflow.search_traces(return_type="list")
mlflow.log_feedback(trace_id=traces[0].info.trace_id, name="good", value=True)
print(len(traces), {len(trace.data.spans) for trace in traces})
"""


def test_programs_share_a_server(uri: str, tmp_path: Path) -> None:
    TracehouseStore(uri).create_experiment("web")
    command = [sys.executable, "-c", CLIENT, uri]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=300)[0].strip().splitlines()[-1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert all(line.endswith("{2}") and 10 <= int(line.split()[0]) <= 30 for line in said)
    store = TracehouseStore(uri)
    experiment = store.get_experiment_by_name("web").experiment_id
    infos, token = store.search_traces([experiment], max_results=100)
    assert (len(infos), token) == (30, None)
    judged, _ = store.search_traces([experiment], "feedback.good = 'true'")
    assert 1 <= len(judged) <= 3


def test_a_store_says_what_its_uri_needs(tmp_path: Path) -> None:
    for uri, said in [
        ("tracehouse+http://h:1", "needs metadata=URI"),
        ("tracehouse+http://h:1?metadata=", "needs metadata=URI"),
        ("tracehouse+http://h:1?metadata=sqlite:///a&meta=b", "'meta' of the URI is unknown"),
        ("tracehouse+http://h:1?metadata=a&metadata=b", "there twice"),
        ("tracehouse+http://h:1?metadata=a&token_file=/no/file", "token_file '/no/file' cannot be read"),
    ]:
        with pytest.raises(InvalidInputError, match=said):
            RemoteLocation.of(uri)
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    uri = f"tracehouse+https://h:1/p?metadata={quote('postgresql://u:p%40w@db/mlflow', safe='')}&token_file={token}"
    place = RemoteLocation.of(uri)
    assert (place.url, place.sql_uri, place.token) == ("https://h:1/p", "postgresql://u:p%40w@db/mlflow", "s3cret")
    assert "s3cret" not in repr(place)
    assert "p%40w" not in repr(place)
    assert RemoteAccess.shared(place) is RemoteAccess.shared(RemoteLocation.of(uri))
