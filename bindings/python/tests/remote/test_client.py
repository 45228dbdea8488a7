"""HTTP of a database behind a server, against one that misbehaves: `http.server`, which does as it is told."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tracehouse

Reply = Callable[[http.server.BaseHTTPRequestHandler], None]


class Odd:
    """A server that answers each request with the next of its replies, the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.connections: set[Any] = set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.connections.add(self.client_address)
                told = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((self.command, self.path, body, told))
                reply = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                reply(self)

            do_GET = do_POST = do_DELETE = do_PATCH = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def says(status: int, body: object, **headers: str) -> Reply:
    """A reply with a JSON body."""

    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """A reply that refuses."""
    return says(status, {"error": {"code": code, "message": message}}, **headers)


def hangs_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True


def is_slow(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Answers after a while."""
    time.sleep(1.0)
    says(200, COUNT)(handler)


def breaks_off(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"count": 1')
    handler.close_connection = True


COUNT = {"count": 3}
BUSY = error(503, "TEMPORARILY_UNAVAILABLE", "no room", retry_after="1")


@pytest.fixture
def odd() -> Iterator[Odd]:
    """A server that misbehaves."""
    server = Odd()
    yield server
    server.close()


def test_one_connection_is_kept_and_the_token_sent(odd: Odd) -> None:
    odd.replies = [says(200, COUNT)]
    with tracehouse.connect(odd.url, token="t0k") as db:
        assert [db.count_traces() for _ in range(3)] == [3, 3, 3]
    assert len(odd.connections) == 1
    method, path, body, headers = odd.requests[0]
    assert (method, path) == ("POST", "/api/v1/search")
    assert json.loads(body)["count"] is True
    assert headers["authorization"] == "Bearer t0k"


def test_the_token_of_the_environment(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    odd.replies = [says(200, COUNT)]
    monkeypatch.setenv("TRACEHOUSE_TOKEN", "of-env")
    with tracehouse.connect(f"{odd.url}/some/prefix/") as db:
        db.count_traces()
    assert odd.requests[0][1] == "/some/prefix/api/v1/search"
    assert odd.requests[0][3]["authorization"] == "Bearer of-env"


def test_a_busy_server_is_asked_again(odd: Odd) -> None:
    odd.replies = [BUSY, error(429, "REQUEST_LIMIT_EXCEEDED", "slower", retry_after="0"), says(200, COUNT)]
    with tracehouse.connect(odd.url) as db:
        assert db.count_traces() == 3
    assert len(odd.requests) == 3


def test_what_may_not_come_twice_is_not_sent_again(odd: Odd) -> None:
    odd.replies = [BUSY]
    with tracehouse.connect(odd.url) as db:
        with pytest.raises(tracehouse.UnavailableError, match="no room"):
            db.log_feedback("t", "good", True)
        odd.replies = [hangs_up]
        with pytest.raises(tracehouse.UnavailableError, match="broke off before it answered"):
            db.log_feedback("t", "good", True)
    assert len(odd.requests) == 2


def test_a_connection_that_the_server_closed_is_made_again(odd: Odd) -> None:
    odd.replies = [says(200, COUNT), hangs_up, says(200, COUNT)]
    with tracehouse.connect(odd.url) as db:
        assert (db.count_traces(), db.count_traces()) == (3, 3)
    assert len(odd.connections) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(400, "INVALID_PARAMETER_VALUE", "said"), tracehouse.InvalidInputError),
        (error(401, "UNAUTHENTICATED", "said"), tracehouse.UnauthenticatedError),
        (error(403, "PERMISSION_DENIED", "said"), tracehouse.PermissionDeniedError),
        (error(404, "RESOURCE_DOES_NOT_EXIST", "said"), tracehouse.NotFoundError),
        (error(409, "RESOURCE_ALREADY_EXISTS", "said"), tracehouse.ConflictError),
        (error(413, "REQUEST_LIMIT_EXCEEDED", "said"), tracehouse.ResourceExhaustedError),
        (error(500, "INTERNAL_ERROR", "said"), tracehouse.Error),
        (error(503, "INVALID_STATE", "said"), tracehouse.ClosedError),
        (says(503, {"error": {"code": "X", "message": "said", "kind": "Timeout"}}), tracehouse.QueryTimeoutError),
        (says(500, {"error": {"code": "X", "message": "said", "kind": "Corrupt"}}), tracehouse.CorruptError),
        (says(502, b"<html>said</html>"), tracehouse.UnavailableError),
        (says(404, b"said: no such page"), tracehouse.NotSupportedError),
    ],
)
def test_errors_are_those_of_a_local_database(odd: Odd, reply: Reply, kind: type[tracehouse.Error]) -> None:
    odd.replies = [reply]
    with tracehouse.connect(odd.url) as db, pytest.raises(tracehouse.Error) as raised:
        db.count_traces()
    assert type(raised.value) is kind
    assert "said" in str(raised.value)


def test_a_route_that_is_not_there_is_told_from_a_thing(odd: Odd) -> None:
    odd.replies = [error(404, "RESOURCE_DOES_NOT_EXIST", "there is no such page: look elsewhere")]
    with tracehouse.connect(odd.url) as db, pytest.raises(tracehouse.NotSupportedError, match="a newer server"):
        db.prices()


def test_an_answer_that_breaks_off_is_an_error(odd: Odd) -> None:
    odd.replies = [breaks_off]
    with tracehouse.connect(odd.url) as db, pytest.raises(tracehouse.UnavailableError, match="broke off in the middle"):
        db.count_traces()


def test_something_else_than_a_database_is_named(odd: Odd) -> None:
    odd.replies = [says(200, b"<html>hello</html>")]
    with tracehouse.connect(odd.url) as db, pytest.raises(tracehouse.UnavailableError, match="is it a Tracehouse"):
        db.count_traces()


def test_a_timeout_is_a_query_timeout(odd: Odd) -> None:
    odd.replies = [is_slow]
    with tracehouse.connect(odd.url, timeout=0.1) as db, pytest.raises(tracehouse.QueryTimeoutError):
        db.count_traces()
    with tracehouse.connect(odd.url) as db, pytest.raises(tracehouse.QueryTimeoutError):
        db.count_traces(timeout=0.1)


def test_rows_that_break_off_are_an_error_and_never_fewer_rows(odd: Odd) -> None:
    import pyarrow

    batch = pyarrow.record_batch({"a": list(range(1000))})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    data = sink.getvalue().to_pybytes()

    def cut(length: int) -> Reply:
        def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("transfer-encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"%x\r\n%s\r\n" % (length, data[:length]))
            if length == len(data):
                handler.wfile.write(b"0\r\n\r\n")
            handler.close_connection = True

        return reply

    with tracehouse.connect(odd.url) as db:
        odd.replies = [cut(len(data))]
        assert len(db.sql("SELECT").fetchall()) == 2000
        assert db.sql("SELECT").arrow().num_rows == 2000
        # In the schema, in a batch, between batches, before the mark of the end, and before the end of the answer.
        for length in (10, len(data) // 2, len(data) - 9000 + 4, len(data) - 8, len(data) - 1):
            odd.replies = [cut(length)]
            with pytest.raises(tracehouse.Error):
                db.sql("SELECT").fetchall()
            with pytest.raises(tracehouse.Error):
                db.sql("SELECT").arrow()


def test_a_certificate_is_checked(tmp_path: Path, odd: Odd) -> None:
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*made, *named], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    odd.server.socket = context.wrap_socket(odd.server.socket, server_side=True)
    odd.replies = [says(200, COUNT)]
    url = odd.url.replace("http://", "https://")
    with tracehouse.connect(url) as db, pytest.raises(tracehouse.UnavailableError, match="verify=FILE"):
        db.count_traces()
    for verify in (str(certificate), False):
        with tracehouse.connect(url, verify=verify) as db:
            assert db.count_traces() == 3
