"""Keys that were valid a moment ago, so that a busy caller does not cost a question each time."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from lenswatch_api.authorization import Principal

_SECONDS = 5.0
_MOST = 10_000


class KnownKeys:
    """Holders of valid keys, each for a few seconds and no longer than the key itself.

    A revoked key is forgotten at once by the service that revokes it.
    """

    def __init__(self) -> None:
        self._holders: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._revocations = 0
        self._lock = Lock()

    def find(self, key: str) -> Principal | None:
        """The holder, where the key was valid a moment ago."""
        holder, until = self._holders.get(_digest(key), (None, 0.0))
        return holder if time.monotonic() < until else None

    def learn(
        self, key: str, ask: Callable[[], tuple[Principal, float] | None]
    ) -> Principal | None:
        """The holder, or None; ``ask`` says who it is and for how many seconds the key is valid."""
        before = self._revocations
        answer = ask()
        if answer is None:
            return None
        holder, seconds = answer
        with self._lock:
            # a key that was revoked while it was asked for must not be remembered
            if before == self._revocations:
                until = time.monotonic() + min(seconds, _SECONDS)
                self._holders[_digest(key)] = (holder, until)
                while len(self._holders) > _MOST:
                    self._holders.popitem(last=False)
        return holder

    def forget(self) -> None:
        """A key was revoked: ask again for all of them."""
        with self._lock:
            self._revocations += 1
            self._holders.clear()


def _digest(key: str) -> bytes:
    """The keys themselves do not lie in memory."""
    return hashlib.sha256(key.encode()).digest()
