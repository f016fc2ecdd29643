# ruff: noqa: E501  (rows of data stay rows)
"""Damaged stores of every system: nothing crashes, hangs or goes unreported."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lenswatch.evidence.recordings import test_folders as folders
from tests.lenswatch.evidence.recordings import test_onvif as onvif
from tests.lenswatch.evidence.recordings.stores import mp4, put, read_all
from tests.lenswatch.evidence.recordings.test_databases import QUOTED, moonfire
from tests.lenswatch.evidence.recordings.test_frigate import build

ROUNDS = 25


def directory(root: Path) -> dict[str, str]:
    put(root / "recordings" / "s" / "a" / "20260105T110000Z.mp4", mp4(datetime(2026, 1, 5, tzinfo=UTC)))  # fmt: skip
    return {}


def frigate(root: Path) -> dict[str, str]:
    store = build(root, "0.18")
    put(store / "config.yml", b"record: {continuous: {days: 5}}\ncameras: {front: {motion: {mask: 'x'}}}\n")  # fmt: skip
    return {}


def moonfire_store(root: Path) -> dict[str, str]:
    moonfire(root)
    return {}


def zoneminder(root: Path) -> dict[str, str]:
    text = (
        QUOTED.replace("`t`", "`Events`").replace("`a`", "`StartDateTime`").replace("`c`", "`Id`")
    )
    put(root / "recordings" / "s" / "d.sql", text.encode())
    return {"dump": "d.sql"}


def s3(root: Path) -> dict[str, str]:
    folders.inventory(root / "recordings" / "s")
    return {}


def report(root: Path) -> dict[str, str]:
    put(root / "recordings" / "s" / "r.csv", folders.MILESTONE.encode())
    return {"dump": "r.csv"}


def onvif_store(root: Path) -> dict[str, str]:
    put(root / "recordings" / "s" / "a.xml", onvif.ENVELOPE.format(onvif.RECORDINGS + onvif.RESULTS).encode())  # fmt: skip
    return {}


def mediamtx(root: Path) -> dict[str, str]:
    put(root / "recordings" / "s" / "mediamtx.yml", json.dumps({"paths": {"a": {}}}).encode())
    put(root / "recordings" / "s" / "recordings" / "a" / "2026-01-05_12-00-00-0.mp4", mp4(None))
    return {}


STORES: dict[str, Callable[[Path], dict[str, str]]] = {
    "directory": directory, "frigate": frigate, "moonfire": moonfire_store, "zoneminder": zoneminder,
    "s3-inventory": s3, "milestone": report, "onvif": onvif_store, "mediamtx": mediamtx,
}  # fmt: skip


@pytest.mark.parametrize("system", STORES)
def test_damage(tmp_path: Path, system: str) -> None:
    chance = random.Random(system)
    keys = STORES[system](tmp_path)
    files = [p for p in sorted((tmp_path / "recordings").rglob("*")) if p.is_file()]
    for _ in range(ROUNDS):
        path = chance.choice(files)
        whole = path.read_bytes()
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(raw) + 1)
            if chance.random() < 0.3:
                del raw[place : place + chance.randint(1, 64)]
            elif chance.random() < 0.5 and place < len(raw):
                raw[place] = chance.randrange(256)
            else:
                raw[place:place] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 9)))
        if chance.random() < 0.3:
            del raw[chance.randrange(len(raw) + 1) :]
        path.write_bytes(raw)
        table = read_all(tmp_path, system, **keys)
        assert table.rows or table.messages
        for message in table.messages:
            assert message.isprintable()
        path.write_bytes(whole)
