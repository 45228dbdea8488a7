"""What can go wrong: one class for each answer to "what should the caller do?".

The native module raises these classes; their names and kinds are those of the Rust crate. What only a server can answer
(`NotSupportedError`, `UnauthenticatedError`, `PermissionDeniedError`) has a class and kind beside them. A message names
the thing at fault and what would be right.

Invariant: every exception of this package is an `Error`, except `KeyboardInterrupt` for Ctrl-C, `TypeError` for an
argument of the wrong type, and `ImportError` for an optional package that is not installed.
"""

from __future__ import annotations


class Error(Exception):
    """Anything that goes wrong in a database.

    Attributes:
        kind: the word of Rust's `ErrorKind`: what the caller should do about it.
    """

    kind: str = "Internal"

    def __str__(self) -> str:
        # `KeyError` would show the text in quotes.
        return str(self.args[0]) if self.args else ""


class InvalidInputError(Error, ValueError):
    """The input is wrong or refused; the message says what would be right."""

    kind = "InvalidInput"


class NotFoundError(Error, KeyError):
    """The named thing does not exist."""

    kind = "NotFound"


class ConflictError(Error):
    """The named thing exists already, or another process holds the database."""

    kind = "Conflict"


class CorruptError(Error):
    """A file of the database is damaged; `Database.check` and `tracehouse.repair` explain."""

    kind = "Corrupt"


class StorageError(Error):
    """The operating system refused a file operation."""

    kind = "Io"


class UnavailableError(StorageError):
    """There is no room or no time for a write now; trying again later may work."""

    kind = "Unavailable"


class QueryTimeoutError(Error, TimeoutError):
    """A question took longer than its limit."""

    kind = "Timeout"


class QueryCancelledError(Error):
    """A question was given up."""

    kind = "Cancelled"


class ResourceExhaustedError(Error):
    """A question needs more memory, spill space or result space than its limits allow; a smaller one may work."""

    kind = "ResourceExhausted"


class ClosedError(Error):
    """The database is closed, failed a sync, or was opened before this process was forked: open it again."""

    kind = "Closed"


class NotSupportedError(Error, NotImplementedError):
    """A database behind a server cannot do this, or its server is too old for it; the message says what can."""

    kind = "NotSupported"


class UnauthenticatedError(Error):
    """The server wants a token, or does not know the one it got; see `connect(token=...)`."""

    kind = "Unauthenticated"


class PermissionDeniedError(Error):
    """The token has not the role, or not the experiment, that this needs."""

    kind = "PermissionDenied"


class NoticeWarning(UserWarning):
    """A question is answered, but a name or value in it is one that the database does not have."""
