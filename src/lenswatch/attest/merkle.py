"""Merkle trees as RFC 6962 has them (section 2.1): one hash that stands for a list of entries.

A leaf's hash is SHA-256 over a zero byte and the entry, an inner node's over a one byte and the
hashes of its two halves; the left half is the largest power of two that is smaller than the whole.
An **inclusion proof** shows that an entry is in the list, a **consistency proof** that a longer
list continues a shorter one, both in a number of hashes that grows with the logarithm.

Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash of an entry; 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class TreeHead:
    """Root of a growing list, in memory of the logarithm of its length."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of full trees, largest first: the bits of size

    def append(self, entry: bytes) -> None:
        """Add one entry at the end."""
        self.append_hash(leaf_hash(entry))

    def append_hash(self, node: bytes) -> None:
        """Add one entry by its leaf hash."""
        size = self.size
        while size & 1:
            node = _node_hash(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    @property
    def root(self) -> bytes:
        """Root over all entries so far; the hash of nothing where there is none."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = _node_hash(peak, node)
        return node


def merkle_root(entries: Iterable[bytes]) -> bytes:
    """Root over entries; 32 bytes."""
    head = TreeHead()
    for entry in entries:
        head.append(entry)
    return head.root


def _root(hashes: Sequence[bytes]) -> bytes:
    head = TreeHead()
    for node in hashes:
        head.append_hash(node)
    return head.root


def _split(size: int) -> int:
    """Largest power of two below ``size``, for ``size`` from 2."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Proof that entry ``index`` is in the list with these leaf hashes.

    Raises ``IndexError`` for an index that is not in it.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(f"no entry {index} in a list of {len(hashes)}")
    proof = []
    low, high = 0, len(hashes)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_root(hashes[middle:high]))
            high = middle
        else:
            proof.append(_root(hashes[low:middle]))
            low = middle
    return proof[::-1]


def includes(entry: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that ``entry`` is number ``index`` of the ``size`` under ``root``."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf_hash(entry)
    for other in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = _node_hash(other, node)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            node = _node_hash(node, other)
        place >>= 1
        last >>= 1
    return last == 0 and node == root


def consistency_proof(hashes: Sequence[bytes], earlier: int) -> list[bytes]:
    """Proof that the list with these leaf hashes begins with its first ``earlier`` entries.

    Raises ``ValueError`` for ``earlier`` outside 1 to the length.
    """
    if not 1 <= earlier <= len(hashes):
        raise ValueError(f"no list of {earlier} inside one of {len(hashes)}")
    proof: list[bytes] = []
    low, high, whole = 0, len(hashes), True
    while earlier < high:
        middle = low + _split(high - low)
        if earlier <= middle:
            proof.append(_root(hashes[middle:high]))
            high = middle
        else:
            proof.append(_root(hashes[low:middle]))
            low, whole = middle, False
    if not whole:
        proof.append(_root(hashes[low:high]))
    return proof[::-1]


def continues(
    earlier: int, size: int, proof: Sequence[bytes], earlier_root: bytes, root: bytes
) -> bool:
    """Whether a proof shows that the list under ``root`` begins with the one before it."""
    if not 1 <= earlier <= size:
        return False
    if earlier == size:
        return not proof and earlier_root == root
    path = list(proof)
    if earlier & (earlier - 1) == 0:
        path.insert(0, earlier_root)
    if not path:
        return False
    place, last = earlier - 1, size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = _node_hash(other, old), _node_hash(other, new)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            new = _node_hash(new, other)
        place >>= 1
        last >>= 1
    return last == 0 and old == earlier_root and new == root
