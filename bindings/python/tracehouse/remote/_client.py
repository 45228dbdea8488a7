"""HTTP to one server: connections that are kept, answers as JSON or as a stream, waiting when the server says so.

```text
ask, open -> _answered: take a connection (idle, else new) -> send -> 429 or 503 with Retry-After? wait, again
                                                          -> an error? its exception (`_refusals`)
          -> Answer: read to the end gives the connection back, anything else closes it
```

Invariants
1. A request that may not be repeated (`repeatable=False`) is sent once, on a connection of its own, unless the server
   said that it refused it before looking at it.
2. A connection is used by one request at a time, and in the process that made it: a forked child makes its own.
3. The token is in no message and no `repr`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode
from weakref import WeakSet

from tracehouse.errors import ClosedError, InvalidInputError, QueryTimeoutError, UnavailableError
from tracehouse.remote._address import Address
from tracehouse.remote._refusals import refusal

_CONNECT_SECONDS_MAX = 10.0
# How long a call waits in all for a server that has no room now.
_BUSY_SECONDS_MAX = 60.0
_IDLE_CONNECTIONS_MAX = 16
_BUSY = frozenset({429, 503})

Query = Iterable[tuple[str, str]]


class Client:
    """A server, as a program talks to it from any of its threads."""

    def __init__(self, address: Address, token: str | None, timeout: float | None, verify: bool | str) -> None:
        self.address = address
        self._timeout = _checked_timeout(timeout)
        self._headers = {"accept-encoding": "identity", "user-agent": "tracehouse-python"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {_checked_token(token)}"
        self._tls = _tls(verify) if address.scheme == "https" else None
        self._closed = False
        self._idle: list[http.client.HTTPConnection] = []
        self._begin()
        _CLIENTS.add(self)

    def _begin(self) -> None:
        """Without connections, as a process that was forked must begin: those of its parent are not its own."""
        # Another thread of the parent may have held the one that was copied.
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        self._answers: WeakSet[Answer] = WeakSet()
        for connection in idle:
            connection.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Closes all connections; answers that are not read to their end break off."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            answers = list(self._answers)
        for answer in answers:
            answer.end(ClosedError("the database was closed before its result was read"))
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        # A handle that is dropped is one that nobody reads results of any more, either: they hold it.
        if hasattr(self, "_idle"):
            self.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Any = None,
        *,
        repeatable: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """Sends a request with a JSON body, if any, and gives what the JSON of the answer says.

        Args:
            method: the method.
            path: the path, from `/` on, encoded.
            query: parameters.
            body: what JSON has; `None` for no body.
            repeatable: whether sending it again changes nothing.
            timeout: longest wait for the answer, seconds; the client's own unless given.

        Raises:
            Error: by what the server says, or `UnavailableError` naming the address when it cannot be reached.
        """
        content = None if body is None else json_bytes(body)
        with self.open(
            method, path, query, content, "application/json", repeatable=repeatable, timeout=timeout
        ) as answer:
            text = answer.read()
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise UnavailableError(
                f"{self.address} answered {method} {path} with something that is no JSON: is it a Tracehouse server?"
            ) from None

    def open(
        self,
        method: str,
        path: str,
        query: Query = (),
        content: bytes | None = None,
        content_type: str = "application/json",
        *,
        accept: str = "application/json",
        repeatable: bool = True,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends a request and gives its answer, to be read; see `ask` for arguments and errors."""
        parameters = urlencode(list(query))
        target = f"{self.address.prefix}{path}{'?' if parameters else ''}{parameters}"
        told = {**self._headers, "accept": accept, **(headers or {})}
        if content is not None:
            told["content-type"] = content_type
        wait = self._timeout if timeout is None else _checked_timeout(timeout)
        until = time.monotonic() + _BUSY_SECONDS_MAX
        while True:
            answer = self._sent(method, target, content, told, wait, repeatable)
            if answer.status < 300:
                return answer
            pause = answer.retry_after_seconds
            # A limit of requests is looked at before the request itself.
            may_repeat = repeatable or answer.status == 429
            if answer.status not in _BUSY or pause is None or not may_repeat or time.monotonic() + pause > until:
                raise refusal(self.address, method, path, answer)
            answer.close()
            time.sleep(pause)

    def _sent(
        self,
        method: str,
        target: str,
        content: bytes | None,
        headers: Mapping[str, str],
        wait: float | None,
        repeatable: bool,
    ) -> Answer:
        connection = self._take(reuse=repeatable)
        is_new = connection.sock is None
        while True:
            try:
                if wait == 0:  # To a socket it means "do not wait", which is another thing.
                    raise TimeoutError
                return self._exchange(connection, method, target, content, headers, wait)
            except TimeoutError:
                connection.close()
                raise QueryTimeoutError(f"{self.address} gave no answer within {wait} seconds") from None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_new or not repeatable:
                    raise UnavailableError(f"{self.address} broke off before it answered: {_reason(error)}") from error
                # A connection that was idle may have been closed by the server just then.
                connection, is_new = self._new(), True
            except BaseException:
                connection.close()
                raise

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        content: bytes | None,
        headers: Mapping[str, str],
        wait: float | None,
    ) -> Answer:
        if connection.sock is None:
            self._connect(connection)
        connection.sock.settimeout(wait)
        try:
            connection.request(method, target, content, dict(headers))
        except ConnectionError:
            # It may have refused the request without reading all of it, and says so.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._begun(connection, connection.getresponse())
            raise
        return self._begun(connection, connection.getresponse())

    def _begun(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Answer:
        answer = Answer(self, connection, response)
        with self._lock:
            self._answers.add(answer)
        return answer

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        connection.timeout = _CONNECT_SECONDS_MAX
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise UnavailableError(
                f"{self.address}: its certificate is not trusted: {error.verify_message}; "
                "connect(.., verify=FILE) takes the certificate of its authority"
            ) from error
        except OSError as error:
            connection.close()
            raise UnavailableError(
                f"{self.address} cannot be reached: {_reason(error)}; is `tracehouse serve` running there?"
            ) from error

    def _take(self, reuse: bool) -> http.client.HTTPConnection:
        with self._lock:
            if self._closed:
                raise ClosedError(f"the database at {self.address} is closed: open it again")
            if reuse and self._idle:
                return self._idle.pop()
        return self._new()

    def _new(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self.address.host, self.address.port, context=self._tls)
        return http.client.HTTPConnection(self.address.host, self.address.port)

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keeps a connection whose answer was read to its end."""
        with self._lock:
            is_wanted = not self._closed and connection.sock is not None
            if is_wanted and len(self._idle) < _IDLE_CONNECTIONS_MAX:
                self._idle.append(connection)
                return
        connection.close()


_CLIENTS: WeakSet[Client] = WeakSet()


def _forked() -> None:
    for client in _CLIENTS:
        client._begin()


os.register_at_fork(after_in_child=_forked)


class Answer:
    """An answer that is being read: a file of bytes, for Arrow as well."""

    def __init__(
        self, client: Client, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self.status = response.status
        self.headers = response.headers
        self._client = client
        self._connection: http.client.HTTPConnection | None = connection
        self._response = response
        self._process = os.getpid()
        self._fault: Exception | None = None
        self._is_whole = False

    @property
    def closed(self) -> bool:
        """Whether reading it is an error."""
        return self._connection is None and not self._is_whole

    @property
    def retry_after_seconds(self) -> float | None:
        """When the server says that trying again may work."""
        told = self.headers.get("retry-after", "")
        return float(told) if told.isdigit() else None

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer at the end; without a number, all that are left.

        Raises:
            UnavailableError: the server broke off: what was read is not all.
        """
        if self._process != os.getpid():
            raise ClosedError("the answer was begun before this process was forked: ask again")
        if self._is_whole:
            return b""
        if self._connection is None:
            raise self._fault or ClosedError("the answer was closed before it was read to its end")
        whole = size is None or size < 0
        try:
            data = self._response.read() if whole else self._response.read(size)
            if self._response.isclosed():
                if self._response.length:
                    # It says nothing of this where it is asked for so many bytes.
                    raise http.client.IncompleteRead(b"", self._response.length)
                self._done()
            return data
        except TimeoutError:
            self.end(QueryTimeoutError(f"{self._client.address} stopped in the middle of its answer"))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.end(
                UnavailableError(f"{self._client.address} broke off in the middle of its answer: {_reason(error)}")
            )
        except BaseException:
            self.close()
            raise
        raise self._fault or ClosedError("the answer was closed before it was read to its end")

    def _done(self) -> None:
        self._is_whole = True
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.give_back(connection)

    def end(self, fault: Exception) -> None:
        """Ends it: whoever reads on gets this error."""
        if self._connection is not None:
            self._fault = fault
            self.close()

    def close(self) -> None:
        """Reads no more. The server gives the question up when there is more to come."""
        connection, self._connection = self._connection, None
        if connection is not None and self._process == os.getpid():
            connection.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def json_bytes(body: Any) -> bytes:
    """A body of JSON."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        # Half of a pair of UTF-16 is no text of UTF-8; an escape may name it.
        return json.dumps(body, allow_nan=False).encode()


def path_part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__


def _checked_timeout(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if not 0 <= timeout < 1e9:
        raise InvalidInputError(f"timeout {timeout}: seconds, 0 or more, expected")
    return timeout


def _checked_token(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInputError("the token is not one: printable ASCII without spaces expected")
    return token


def _tls(verify: bool | str) -> ssl.SSLContext:
    """How a server proves who it is: by the authorities of the system, or by those of a file."""
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=verify if isinstance(verify, (str, os.PathLike)) else None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(f"verify={verify!r}: a file of certificates (PEM) expected: {error}") from error
