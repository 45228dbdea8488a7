"""A process of `test_migration`: an import with pages of ten traces that kills itself at a given point."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import warnings
from typing import Any


def main(point: str, number: str, *arguments: str) -> int:
    """Runs the import until it calls something for the so-and-so-many-th time.

    Args:
        point: what: a module of `tracehouse.mlflow`, then a function or a method in it; after `+` it is left to be
            done before.
        number: the number of the call.
        arguments: those of the command.
    """
    warnings.simplefilter("ignore")
    from tracehouse.mlflow import __main__, _migration_traces

    _migration_traces._PAGE = 10
    module, *path, name = point.removeprefix("+").split(".")
    owner: Any = importlib.import_module(f"tracehouse.mlflow.{module}")
    for part in path:
        owner = getattr(owner, part)
    called, calls = getattr(owner, name), iter(range(int(number), 0, -1))

    @functools.wraps(called)
    def deadly(*given: Any, **more: Any) -> Any:
        is_last = next(calls) == 1
        if is_last and not point.startswith("+"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = called(*given, **more)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)
    return __main__.main(list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
