"""Databases behind a server.

`db` and `sample_db` here are databases behind a server, so that the tests of a local database, imported by
`test_same`, run against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sample
from remote_server import Server, serving

import tracehouse


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on an empty database."""
    with serving(tmp_path_factory.mktemp("server") / "server.traces") as running:
        yield running


@pytest.fixture
def db(server: Server) -> Iterator[tracehouse.Database]:
    """An empty database behind a server."""
    with tracehouse.connect(server.url) as database:
        yield database


@pytest.fixture
def sample_db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tracehouse.Database]:
    """A database behind a server with twelve traces of `sample`, which were there before the server."""
    folder = tmp_path_factory.mktemp("server") / "sample.traces"
    with tracehouse.connect(folder) as local:
        local.import_otlp(sample.lines(12))
    with serving(folder) as running, tracehouse.connect(running.url) as database:
        yield database


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., tracehouse.Database]]:
    """Makes further handles on the server's database."""
    opened: list[tracehouse.Database] = []

    def made(**options: object) -> tracehouse.Database:
        opened.append(tracehouse.connect(server.url, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield made
    for database in opened:
        database.close()
