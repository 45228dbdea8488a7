"""The process that writes, and how others ask it: one request and one answer at a time on a Unix socket.

A frame is four bytes of length, most significant first, and as many of JSON. A request is `[operation, {arguments}]`;
an answer is `[true, result]` or `[false, kind, message]` with the kind of a `tracehouse.Error`. The socket is in the
database's folder and only its user may connect, so that who can ask could as well open the files.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tracehouse
from tracehouse import errors

_NAME = "writer.sock"
_LENGTH = struct.Struct(">I")
_KINDS = {
    kind.kind: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Error)
}

Operations = Mapping[str, Callable[..., Any]]


class OwnerGoneError(Exception):
    """No process answers: none has asked for the socket yet, or the one that had it is gone."""


class Owner:
    """The writing side: runs operations of this process and of others."""

    def __init__(self, folder: Path, database: tracehouse.Database, operations: Operations) -> None:
        self._database = database
        self._operations = operations
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(folder / "mlflow") as name:
            # Whoever left one behind has no lock any more: this process has it.
            Path(name).unlink(missing_ok=True)
            self._socket.bind(name)
            os.chmod(name, 0o600)
        self._socket.listen(64)
        self._connections: set[socket.socket] = set()
        # A child would keep them open after this process: who asks would wait for an answer that nobody gives.
        os.register_at_fork(after_in_child=self._close_sockets)
        threading.Thread(target=self._listen, name="tracehouse-owner", daemon=True).start()

    def _close_sockets(self) -> None:
        for opened in (self._socket, *self._connections):
            opened.close()

    def run(self, operation: str, given: Mapping[str, Any]) -> Any:
        """Runs an operation on the database."""
        return self._operations[operation](self._database, **given)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="tracehouse-asked", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        try:
            with connection:
                while (request := _receive(connection)) is not None:
                    _send(connection, self._answer(*request))
        except OSError:
            # Who asked is gone; another thread of it may ask again.
            return
        finally:
            self._connections.discard(connection)

    def _answer(self, operation: str, given: Mapping[str, Any]) -> list[Any]:
        try:
            return [True, self.run(operation, given)]
        except Exception as error:
            return [False, getattr(error, "kind", "Internal"), str(error)]


_CONNECTIONS = threading.local()


def ask(folder: Path, operation: str, given: Mapping[str, Any]) -> Any:
    """Has the owner run an operation and gives what it gives.

    Raises:
        OwnerGoneError: there is none, or it went before it answered: the operation may have been done.
        Error: what it raised.
    """
    connection = _connection(folder)
    try:
        _send(connection, [operation, given])
        answer = _receive(connection)
    except OSError:
        answer = None
    if answer is None:
        _drop(folder)
        raise OwnerGoneError
    if answer[0]:
        return answer[1]
    raise _KINDS.get(answer[1], errors.Error)(answer[2])


def _connection(folder: Path) -> socket.socket:
    """This thread's connection to the owner; made where there is none."""
    kept: dict[Path, tuple[int, socket.socket]] = _CONNECTIONS.__dict__.setdefault("of", {})
    process, connection = kept.get(folder, (0, None))
    if connection is not None and process == os.getpid():
        return connection
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(folder / "mlflow") as name:
            connection.connect(name)
    except OSError as error:
        connection.close()
        raise OwnerGoneError from error
    kept[folder] = (os.getpid(), connection)
    return connection


def _drop(folder: Path) -> None:
    _, connection = _CONNECTIONS.of.pop(folder)
    connection.close()


def _send(connection: socket.socket, value: Any) -> None:
    payload = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    connection.sendall(_LENGTH.pack(len(payload)) + payload)


def _receive(connection: socket.socket) -> Any:
    """The next frame's value; `None` at the end."""
    head = _read(connection, _LENGTH.size)
    if head is None:
        return None
    payload = _read(connection, _LENGTH.unpack(head)[0])
    return None if payload is None else json.loads(payload)


def _read(connection: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = connection.recv(min(size - len(parts), 1 << 20))
        except OSError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name for the socket in a folder that fits into an address, which has 108 bytes however long the folder's is."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{_NAME}"
    finally:
        os.close(opened)
