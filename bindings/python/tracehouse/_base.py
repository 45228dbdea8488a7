"""What the parts of `Database` share: the handle that they ask about, and the engine that they ask."""

from __future__ import annotations

from tracehouse import _native as native_engine
from tracehouse._engine import Engine


class Base:
    """Holds the native database and, for what a server can do as well, what answers."""

    _native: native_engine.Database
    _engine: Engine = native_engine
