"""Durations, counts, money and times as a person reads them."""

from __future__ import annotations

from datetime import datetime, timezone

_STEPS = ((86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"))


def duration(nanoseconds: int | None) -> str:
    """`1.52 s`, `340 ms`, `2.1 min`; nothing for what has not ended."""
    if nanoseconds is None:
        return "open"
    if nanoseconds == 0:
        return "0 s"
    for size, unit in _STEPS:
        if nanoseconds >= size:
            return f"{_three_digits(nanoseconds / size)} {unit}"
    if nanoseconds >= 1_000_000:
        return f"{_three_digits(nanoseconds / 1_000_000)} ms"
    return f"{_three_digits(nanoseconds / 1_000)} \u00b5s"


def usd(amount: float | None) -> str:
    """`$0.0042`, with as many digits as it takes."""
    if amount is None:
        return ""
    digits = 2 if amount == 0 or abs(amount) >= 1 else 4 if abs(amount) >= 0.001 else 6
    return f"${amount:,.{digits}f}"


def tokens(given: int | None, made: int | None, total: int | None = None) -> str:
    """`12 in, 30 out`, or the sum where that is all there is."""
    parts = [f"{number:,} {word}" for number, word in ((given, "in"), (made, "out")) if number is not None]
    if not parts and total is not None:
        return f"{total:,} tokens"
    return ", ".join(parts)


def time(moment: datetime | int | None) -> str:
    """A time in UTC to the millisecond; numbers are Unix nanoseconds."""
    if moment is None:
        return ""
    if isinstance(moment, int):
        moment = datetime.fromtimestamp(moment / 1e9, timezone.utc)
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d} UTC"


def _three_digits(number: float) -> str:
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
