"""The Merkle tree: against the recursion of RFC 6962, and every proof against every forgery."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenswatch.attest.merkle import (
    TreeHead,
    consistency_proof,
    continues,
    includes,
    inclusion_proof,
    leaf_hash,
    merkle_root,
)


def mth(entries: list[bytes]) -> bytes:
    """Section 2.1 of RFC 6962, word for word."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\1" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(index: int, entries: list[bytes]) -> list[bytes]:
    """Section 2.1.1."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if index < k:
        return [*path(index, entries[:k]), mth(entries[k:])]
    return [*path(index - k, entries[k:]), mth(entries[:k])]


def subproof(earlier: int, entries: list[bytes], whole: bool) -> list[bytes]:
    """Section 2.1.2."""
    if earlier == len(entries):
        return [] if whole else [mth(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if earlier <= k:
        return [*subproof(earlier, entries[:k], whole), mth(entries[k:])]
    return [*subproof(earlier - k, entries[k:], False), mth(entries[:k])]


LISTS = [[f"entry {number}".encode() for number in range(size)] for size in range(1, 20)]


def test_known_values() -> None:
    """Of the empty list and of one empty entry, as certificate transparency logs have them."""
    assert merkle_root([]).hex().startswith("e3b0c44298fc1c149afbf4c8996fb924")
    assert (
        merkle_root([b""]).hex()
        == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    # the eight entries that the transparency logs' own test suites use
    entries = [
        bytes.fromhex(text)
        for text in (
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        )
    ]
    assert (
        merkle_root(entries).hex()
        == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@pytest.mark.parametrize("entries", LISTS, ids=len)
def test_root_and_proofs_equal_the_recursion(entries: list[bytes]) -> None:
    root = merkle_root(entries)
    hashes = [leaf_hash(entry) for entry in entries]
    assert root == mth(entries)
    for index, entry in enumerate(entries):
        proof = inclusion_proof(hashes, index)
        assert proof == path(index, entries)
        assert includes(entry, index, len(entries), proof, root)
    for earlier in range(1, len(entries) + 1):
        proof = consistency_proof(hashes, earlier)
        assert proof == subproof(earlier, entries, True)
        assert continues(earlier, len(entries), proof, mth(entries[:earlier]), root)


@given(st.integers(2, 40), st.data())
def test_no_forgery_passes(size: int, data: st.DataObject) -> None:
    entries = [str(number).encode() for number in range(size)]
    root, hashes = merkle_root(entries), [leaf_hash(entry) for entry in entries]
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(hashes, index)
    assert not includes(b"other", index, size, proof, root)
    assert not includes(entries[index], (index + 1) % size, size, proof, root)
    assert not includes(entries[index], index, size, [*proof, root], root)
    assert not includes(entries[index], index, size, proof[:-1], root)
    assert not includes(entries[index], size, size, proof, root)
    earlier = data.draw(st.integers(1, size - 1))
    proof = consistency_proof(hashes, earlier)
    other = merkle_root([*entries[: earlier - 1], b"other"])
    assert not continues(earlier, size, proof, other, root)
    assert not continues(earlier, size, proof, mth(entries[:earlier]), other)
    assert not continues(earlier, size, [], mth(entries[:earlier]), root)
    assert not continues(earlier, size, [*proof, root], mth(entries[:earlier]), root)
    assert not continues(size + 1, size, proof, root, root)
    assert not continues(size, size, proof, root, root)
    assert continues(size, size, [], root, root)


def test_growing_equals_building() -> None:
    head = TreeHead()
    for size, entry in enumerate(LISTS[-1], 1):
        head.append(entry)
        assert head.size == size
        assert head.root == mth(LISTS[-1][:size])


def test_arguments_out_of_range() -> None:
    with pytest.raises(IndexError):
        inclusion_proof([b""], 1)
    with pytest.raises(ValueError):
        consistency_proof([b""], 0)
