"""The database that `tracehouse.connect` gives for an address.

It is a `Database`: the same calls with the same arguments and results, answered by a server. What a server does by
itself, or has no business with (folders, settings, evaluation with functions of this program), is refused by each call
with `NotSupportedError` and a word on what to do instead.

Invariant: every public call of `Database` either works here or is named in `_REFUSED`; a test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn, cast

from tracehouse import _native
from tracehouse.database import Database
from tracehouse.errors import InvalidInputError, NotSupportedError
from tracehouse.remote import _engine
from tracehouse.remote._address import Address
from tracehouse.remote._client import Client

_BY_ITSELF = "the server does it by itself"
_WHERE_THE_FOLDER_IS = "open the folder where it is: tracehouse.connect(PATH), or the command `tracehouse {}` there"
_EVALUATE = (
    "evaluation runs where the folder is; search_traces() reads the traces here, log_feedback() stores what you find"
)
_TABLES = "SQL reads them: db.sql('SELECT * FROM {}')"
_PROMPTS = "prompts are changed where the folder is; db.sql('SELECT * FROM prompt_versions') reads them"
_REVIEWS = "reviews are kept where the folder is: `tracehouse review` there"

_REFUSED: dict[str, str] = {
    # Care.
    "seal": _BY_ITSELF,
    "compact": _BY_ITSELF,
    "index_text": _BY_ITSELF,
    "settle": _BY_ITSELF,
    "check": _WHERE_THE_FOLDER_IS.format("check"),
    "backup": _WHERE_THE_FOLDER_IS.format("backup"),
    "export_parquet": _WHERE_THE_FOLDER_IS.format("export"),
    "retain": _WHERE_THE_FOLDER_IS.format("retain"),
    "set_redaction": _WHERE_THE_FOLDER_IS.format("redaction"),
    "set_price": _WHERE_THE_FOLDER_IS.format("prices"),
    "remove_price": _WHERE_THE_FOLDER_IS.format("prices"),
    "reset_prices": _WHERE_THE_FOLDER_IS.format("prices"),
    "with_views": "a server keeps no views of its clients: write the view as WITH name AS (..) before the statement",
    # Evaluation.
    "evaluate": _EVALUATE,
    "eval_runs": _TABLES.format("eval_runs"),
    "eval_run": _TABLES.format("scores"),
    "compare_evals": _EVALUATE,
    "compare_groups": _EVALUATE,
    "delete_eval": _EVALUATE,
    "register_scorer": _EVALUATE,
    "registered_scorers": _TABLES.format("registered_scorers"),
    "registered_reports": _EVALUATE,
    "set_scorer_active": _EVALUATE,
    "delete_registered_scorer": _EVALUATE,
    "run_registered": _EVALUATE,
    # Prompts.
    "register_prompt": _PROMPTS,
    "load_prompt": _PROMPTS,
    "prompts": _TABLES.format("prompts"),
    "prompt_versions": _TABLES.format("prompt_versions"),
    "prompt_diff": _PROMPTS,
    "prompt_stats": _PROMPTS,
    "set_prompt_alias": _PROMPTS,
    "delete_prompt_alias": _PROMPTS,
    "set_prompt_tag": _PROMPTS,
    "delete_prompt_tag": _PROMPTS,
    "delete_prompt": _PROMPTS,
    "delete_prompt_version": _PROMPTS,
    # Reviews.
    "create_review": _REVIEWS,
    "add_to_review": _REVIEWS,
    "reviews": _REVIEWS,
    "review": _REVIEWS,
    "review_next": _REVIEWS,
    "review_answer": _REVIEWS,
    "review_skip": _REVIEWS,
    "review_status": _REVIEWS,
    "delete_review": _REVIEWS,
}


def connect(
    url: str, token: str | None, timeout: float | None, verify: bool | str, refused: dict[str, bool]
) -> RemoteDatabase:
    """The database at an address; see `tracehouse.connect`.

    Args:
        url: the address.
        token: the token; that of the variable `TRACEHOUSE_TOKEN` unless given.
        timeout: longest wait for the server, seconds.
        verify: how its certificate is checked.
        refused: options of a folder, and whether they were given.
    """
    for name, is_given in refused.items():
        if is_given:
            raise InvalidInputError(f"{name} is an option of a folder, and {Address.of(url)} a server: leave it out")
    return RemoteDatabase(Client(Address.of(url), token or os.environ.get("TRACEHOUSE_TOKEN"), timeout, verify))


class RemoteDatabase(Database):
    """A database behind a server. It may be used from many threads, and in a child after a fork."""

    _engine = _engine

    def __init__(self, client: Client) -> None:
        self._client = client
        # The engine's own handle; what asks the native module instead is refused below.
        super().__init__(cast("_native.Database", client))

    @property
    def path(self) -> str:
        """The address of the server."""
        return str(self._client.address)

    @property
    def read_only(self) -> bool:
        """Whether it is for reading only: that is the token's matter, and so always false here."""
        return False

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""
        return self._client.closed

    def close(self) -> None:
        """Closes the connections; results that are not read to their end break off. Closing again does nothing."""
        self._client.close()

    def refresh(self) -> bool:
        """Does nothing: every question sees what the server has acknowledged by then."""
        return False

    def __repr__(self) -> str:
        return f"Database({self.path!r}, {'closed' if self.closed else 'remote'})"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a Database cannot be pickled: in the other process open it again, tracehouse.connect({self.path!r})"
        )


def _refusal(name: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(self: RemoteDatabase, *_: object, **__: object) -> NoReturn:
        raise NotSupportedError(f"{name} is not there for a database behind a server: {instead}")

    own = getattr(Database, name)
    refuse.__name__, refuse.__qualname__ = name, f"RemoteDatabase.{name}"
    refuse.__doc__ = f"Not supported: {instead}."
    # What a reader of the signature sees is that of the call that it stands for.
    refuse.__wrapped__ = own  # type: ignore[attr-defined]
    return refuse


for _name, _instead in _REFUSED.items():
    setattr(RemoteDatabase, _name, _refusal(_name, _instead))
