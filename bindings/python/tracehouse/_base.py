"""What the parts of `Database` share: the native database that they call."""

from __future__ import annotations

from tracehouse import _native


class Base:
    """Holds the native database."""

    _native: _native.Database
