"""What a server says when it does not do what it is asked, as the exception that a local database would raise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracehouse import errors

if TYPE_CHECKING:
    from tracehouse.remote._address import Address
    from tracehouse.remote._client import Answer

_KINDS = {
    kind.kind: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Error)
}
# For a server, or a proxy before it, that does not tell the kind.
_STATUSES: dict[int, type[errors.Error]] = {
    400: errors.InvalidInputError,
    401: errors.UnauthenticatedError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    408: errors.QueryTimeoutError,
    409: errors.ConflictError,
    413: errors.ResourceExhaustedError,
    415: errors.InvalidInputError,
    429: errors.UnavailableError,
    501: errors.NotSupportedError,
    502: errors.UnavailableError,
    503: errors.UnavailableError,
    504: errors.QueryTimeoutError,
}
_TEXT_CHARS_MAX = 200
# How the server begins where it does not know the route, rather than the thing that the route is about.
_NO_ROUTE = "there is no such page"


def refusal(address: Address, method: str, path: str, answer: Answer) -> errors.Error:
    """The exception for an answer that is no success. Reads the answer."""
    with answer:
        body = answer.read()
    try:
        told = json.loads(body)["error"]
        code, message, kind = str(told["code"]), str(told["message"]), told.get("kind")
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body.decode("utf-8", "replace").strip()[:_TEXT_CHARS_MAX]
        # A route that is not there has no message of ours.
        made = _STATUSES.get(answer.status, errors.Error)
        if answer.status in (404, 405):
            made = errors.NotSupportedError
        return made(f"{address} answered {method} {path} with status {answer.status}{f': {text}' if text else ''}")
    if answer.status == 405 or (answer.status == 404 and message.startswith(_NO_ROUTE)):
        return errors.NotSupportedError(f"{address} has no {method} {path}: a newer server is needed")
    return _class_of(answer, code, kind)(message)


def _class_of(answer: Answer, code: str, kind: object) -> type[errors.Error]:
    if isinstance(kind, str) and kind in _KINDS:
        return _KINDS[kind]
    if code == "INVALID_STATE":
        return errors.ClosedError
    if answer.status == 503 and answer.retry_after_seconds is None:
        # Without a word on when to try again, the same question would end the same way.
        return errors.ResourceExhaustedError
    if answer.status in (400, 403) and code == "REQUEST_LIMIT_EXCEEDED":
        return errors.ResourceExhaustedError
    return _STATUSES.get(answer.status, errors.Error)
