"""Where a server is: the address a user writes, taken apart and checked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tracehouse.errors import InvalidInputError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """An address of HTTP, without anything secret."""

    scheme: str
    host: str
    port: int
    prefix: str
    """What stands before `/api` where a proxy serves more than this; mostly empty."""

    @classmethod
    def of(cls, url: str) -> Address:
        """The address of `http://HOST[:PORT][/PREFIX]` or `https://..`.

        Raises:
            InvalidInputError: another form.
        """
        expected = "http://HOST:PORT or https://HOST:PORT expected"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidInputError(f"address {url!r}: {error}: {expected}") from None
        if parts.username is not None or parts.password is not None:
            # It is not repeated: what stands there is secret.
            raise InvalidInputError("the address has a user or password in it: connect(.., token=..) takes the token")
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
            raise InvalidInputError(f"address {url!r}: {expected}")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"
