"""Errors of the database as MLflow's: the code that a client and the server's HTTP status depend on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2 as codes

from tracehouse import errors

_logger = logging.getLogger(__name__)

_CODES: dict[type[errors.Error], int] = {
    errors.InvalidInputError: codes.INVALID_PARAMETER_VALUE,
    errors.NotFoundError: codes.RESOURCE_DOES_NOT_EXIST,
    errors.ConflictError: codes.RESOURCE_ALREADY_EXISTS,
    errors.UnavailableError: codes.TEMPORARILY_UNAVAILABLE,
    errors.QueryTimeoutError: codes.TEMPORARILY_UNAVAILABLE,
    errors.ResourceExhaustedError: codes.RESOURCE_EXHAUSTED,
}


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """Raises what goes wrong inside as MLflow does."""
    try:
        yield
    except errors.Error as error:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), codes.INTERNAL_ERROR)
        raise MlflowException(message_of(error), error_code=code) from error


def message_of(error: errors.Error) -> str:
    """What an error says; that of a filter begins with MLflow's code, which a client sees beside the message."""
    return str(error).removeprefix("INVALID_PARAMETER_VALUE: ")


def refusal(error: errors.InvalidInputError, ask: Callable[[], object]) -> MlflowException:
    """What MLflow says of a question that the database refuses, where MLflow refuses it, too.

    Args:
        error: what the database says.
        ask: asks MLflow's own method the same. Its tables have no traces, but it looks at the question first, and its
            parser alone does not see all that is wrong.
    """
    try:
        ask()
    except MlflowException as said:
        if said.error_code == codes.ErrorCode.Name(codes.INVALID_PARAMETER_VALUE):
            return said
    except Exception:
        _logger.debug("MLflow's store failed", exc_info=True)
    return MlflowException.invalid_parameter_value(message_of(error))


def not_found(message: str) -> MlflowException:
    """Something that is not there."""
    return MlflowException(message, error_code=codes.RESOURCE_DOES_NOT_EXIST)
