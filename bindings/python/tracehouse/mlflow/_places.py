"""What a store's URI means: a folder (`_location`, `_access`) or a server (`_remote`)."""

from __future__ import annotations

from typing import TypeAlias

from tracehouse.mlflow._access import Access
from tracehouse.mlflow._location import Location
from tracehouse.mlflow._remote import SCHEMES, RemoteAccess, RemoteLocation

AnyAccess: TypeAlias = Access | RemoteAccess


def located(uri: str) -> Location | RemoteLocation:
    """Where the things of a store are.

    Raises:
        InvalidInputError: the URI names no such place.
    """
    return RemoteLocation.of(uri) if uri.partition(":")[0] in SCHEMES else Location.of(uri)


def access(location: Location | RemoteLocation) -> AnyAccess:
    """Who reads and writes there."""
    if isinstance(location, RemoteLocation):
        return RemoteAccess.shared(location)
    return Access.shared(location.folder)
