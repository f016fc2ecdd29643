"""A sample that neither side can steer, and that anyone can draw again.

Order of events: the operator commits to the inventory by its Merkle root; only after that a number
is drawn from a public source that nobody controls (a randomness beacon, a lottery); both together
give the seed. The operator cannot leave cameras out once the sample is known, and the auditor
cannot choose the seed that suits him.

A camera's place in the order depends on the seed and its own id alone. So the draw needs no sorted
inventory, one camera's place can be checked without the others, and a larger sample continues a
smaller one.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
from collections.abc import Iterable, Iterator

_PURPOSE = b"lenswatch sampling seed v1\0"
_LEAST_RANDOMNESS = 16


def commit(root: bytes, nonce: bytes) -> bytes:
    """Commitment to an inventory that reveals nothing about it: SHA-256 over nonce and root.

    Raises ``ValueError`` for a nonce under 16 bytes, which could be guessed.
    """
    if len(nonce) < _LEAST_RANDOMNESS:
        raise ValueError(f"a nonce has at least {_LEAST_RANDOMNESS} bytes")
    return hashlib.sha256(b"lenswatch commitment v1\0" + nonce + root).digest()


def seed_from(commitment: bytes, randomness: bytes) -> bytes:
    """Seed of the draw, 32 bytes: HMAC-SHA-256 of the public randomness under the commitment.

    Raises ``ValueError`` for randomness under 16 bytes: short values can be tried out beforehand.
    """
    if len(randomness) < _LEAST_RANDOMNESS:
        raise ValueError(f"public randomness has at least {_LEAST_RANDOMNESS} bytes")
    return hmac.new(commitment, _PURPOSE + randomness, hashlib.sha256).digest()


def _ticket(prefix: hashlib._Hash, identifier: str) -> bytes:
    ticket = prefix.copy()
    ticket.update(identifier.encode())
    return ticket.digest()


def draw(identifiers: Iterable[str], size: int, seed: bytes) -> list[str]:
    """Draw ``size`` of the ids without replacement, in the order they are to be examined.

    Each id gets the ticket SHA-256(seed, id); the lowest tickets win. Reads the ids once and holds
    ``size`` of them. All of them where there are fewer. The order of ``identifiers`` is irrelevant.

    Raises ``ValueError`` for a size below 0 and a seed that is not 32 bytes; an id that comes
    twice would be drawn twice, so it is refused where both are among the winners.
    """
    if size < 0:
        raise ValueError("size is from 0")
    if len(seed) != 32:
        raise ValueError("a seed has 32 bytes; make one with seed_from")
    prefix = hashlib.sha256(seed)
    tickets: Iterator[tuple[bytes, str]] = ((_ticket(prefix, name), name) for name in identifiers)
    chosen = [name for _, name in heapq.nsmallest(size, tickets)]
    if len(set(chosen)) != len(chosen):
        raise ValueError("an id stands twice in the inventory")
    return chosen
