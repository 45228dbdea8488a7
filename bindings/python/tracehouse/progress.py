"""The progress bar of a long call: that of `tqdm`, in a notebook the notebook's own.

Without `tqdm` there is no bar, and nothing else changes. It is imported when a bar is asked for and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Report: TypeAlias = Callable[[int, int | None], None]


@contextmanager
def progress_bar(name: str) -> Iterator[Report | None]:
    """What to call with the bytes that are done and the bytes that there are (`None` where nobody knows).

    Args:
        name: what the bar is called.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    with tqdm(desc=name, unit="B", unit_scale=True, unit_divisor=1024) as bar:

        def report(done: int, total: int | None) -> None:
            if total is not None and total != bar.total:
                bar.total = total
                bar.refresh()
            bar.update(done - bar.n)

        yield report
