from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from lenswatch.harness.claims import Claims, read_claims
from lenswatch.harness.comparison import Comparison, Sighting
from lenswatch.harness.declaration import read_declaration
from lenswatch.harness.devices import Played
from lenswatch.harness.disk import FileKind, look, outlived, shift_times
from lenswatch.harness.judgement import (
    TITLES,
    Traces,
    causes_of,
    judge_traces,
    masking_habits,
)
from lenswatch.model import Verdict

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "devices"
MASKED = tuple(Sighting(frame, frame % 3, 0.1) for frame in range(60))
SESSION = Comparison(100, 0, 60, 0, 0.99, MASKED, 640, 360, 0.0)
GOOD = Traces(
    declaration=read_declaration(EXAMPLES / "good-solid.yaml"),
    played=(Played(True), Played(True)),
    compared=(SESSION, SESSION),
    kept_media=0,
    kept_unknown=0,
    recorded=True,
    clock_set=True,
    undeclared=(),
    claims=Claims(0, 0, False, 0, 0),
)


def causes(**changes: object) -> list[str]:
    traces = replace(GOOD, **changes)  # type: ignore[arg-type]
    return [cause.cause for cause in causes_of(judge_traces(traces), traces)]


def told(*frames: int) -> Comparison:
    faces = tuple(replace(s, detail=0.99) if s.frame in frames else s for s in MASKED)
    return replace(SESSION, sightings=faces)


def test_a_good_device_has_no_cause() -> None:
    assert causes() == []
    assert {f.control for f in judge_traces(GOOD)} == set(TITLES)
    assert {f.verdict for f in judge_traces(GOOD)} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"compared": (SESSION, None)}, ["drops-evidence"]),
        ({"compared": (SESSION, replace(SESSION, missing=5))}, ["drops-evidence"]),
        ({"compared": (SESSION, replace(SESSION, unshown=30))}, ["drops-evidence"]),
        ({"compared": (SESSION, replace(SESSION, same_place=0.2))}, ["drops-evidence"]),
        ({"compared": (SESSION, replace(SESSION, missing=1))}, []),
        ({"compared": (SESSION, told(*range(60)))}, ["masks-some-of-the-time"]),
        ({"compared": (told(*range(60)), told(*range(60)))}, ["masks-nothing"]),
        ({"compared": (replace(SESSION, sightings=MASKED[:10]),) * 2}, ["not-shown"]),
        ({"compared": (replace(SESSION, sightings=()),) * 2}, ["not-shown"]),
        ({"played": (Played(True), Played(False, "it fell over"))}, ["not-shown", "not-shown"]),
        ({"kept_media": 1}, ["keeps-copies"]),
        ({"kept_unknown": 1}, ["not-shown"]),
        ({"recorded": False}, ["not-shown"]),
        ({"undeclared": ("cloud.example.com",)}, ["sends-to-undeclared"]),
        ({"played": (Played(True, "", "no root"), Played(True))}, ["not-shown"]),
        ({"claims": Claims(1, 0, False, 320, 180)}, ["contradicts-itself"]),
        ({"claims": Claims(1, 0, True, 640, 360)}, []),
    ],
)
def test_each_way_to_be_refused(changes: dict[str, object], wanted: list[str]) -> None:
    assert causes(**changes) == wanted


def test_a_claimed_mask_that_is_none() -> None:
    lie = causes(compared=(told(*range(60)),) * 2, claims=Claims(1, 0, True, 640, 360))
    assert lie == ["masks-nothing", "contradicts-itself"]


def test_one_doubtful_face_is_neither_pass_nor_fail() -> None:
    doubtful = (*MASKED[1:], replace(MASKED[0], detail=0.8))
    assert causes(compared=(replace(SESSION, sightings=doubtful), SESSION)) == ["not-shown"]
    certain = (*MASKED[1:], replace(MASKED[0], detail=0.95))
    assert causes(compared=(replace(SESSION, sightings=certain), SESSION)) != ["not-shown"]


def test_undeclared_receivers_count_even_where_traffic_was_half_measured() -> None:
    played = (Played(True, "", "broke off"), Played(True))
    assert causes(played=played, undeclared=("192.0.2.1",)) == ["sends-to-undeclared"]


def test_habits() -> None:
    both = [Sighting(f, p, 0.99 if p else 0.1) for f in range(20) for p in (0, 1)]
    assert masking_habits([both]) == ["masks-some-faces"]
    later = [Sighting(f, p, 0.99 if f > 10 else 0.1) for f in range(20) for p in (0, 1)]
    assert masking_habits([later]) == ["masks-some-of-the-time"]
    # one that hides seldom is told by what the frames with several faces show, not by how often
    seldom = [Sighting(f, 0, 0.1 if 30 < f < 35 else 0.99) for f in range(60)]
    seldom += [Sighting(f, 1, 0.1 if f < 3 else 0.99) for f in range(30)]
    assert masking_habits([seldom]) == ["masks-some-faces"]
    weak = [Sighting(f, 0, 0.8 if f % 2 else 0.7) for f in range(20)]
    assert masking_habits([weak]) == ["masks-too-weakly"]


def test_a_device_that_claims_no_mask_is_not_judged_by_it() -> None:
    declaration = replace(GOOD.declaration, masks_faces=False)
    assert causes(declaration=declaration, compared=(told(*range(60)),) * 2) == []


def test_files_are_told_by_content_and_followed_by_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/notes.mp4").write_text("text, whatever its name says " * 900)
    (tmp_path / "settings.db").write_bytes(b"\0\0\0\x18ftypisom" + b"x" * 99)
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 100)
    connection = sqlite3.connect(tmp_path / "x.bin")
    connection.execute("create table t (a)")
    connection.close()
    (tmp_path / "link").symlink_to(tmp_path / "noise")
    before = look(tmp_path)
    assert sorted(held.kind for held in before.values()) == sorted(FileKind)
    (tmp_path / "settings.db").rename(tmp_path / "a" / "other")
    assert outlived(before, look(tmp_path)) == (1, 1)
    (tmp_path / "a" / "other").unlink()
    (tmp_path / "noise").unlink()
    assert outlived(before, look(tmp_path)) == (0, 0)


def test_times_of_files_follow_the_device_clock(tmp_path: Path) -> None:
    for name, moment in (("old", 1_000.0), ("new", 2_000.0)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (moment, moment))
    shift_times(tmp_path, 1_500.0, 90_000.0)
    assert (tmp_path / "old").stat().st_mtime == 1_000.0
    assert (tmp_path / "new").stat().st_mtime == 92_000.0


def test_claims(tmp_path: Path) -> None:
    assert read_claims(None) == Claims(0, 0, False, 0, 0)
    (tmp_path / "a.xml").write_text(
        "<s:Envelope xmlns:s='urn:s'><s:Body><Resolution><Width>1920</Width><Height>1080</Height>"
        "</Resolution><Masks><Type>Color</Type><Enabled>true</Enabled></Masks></s:Body></s:Envelope>"
    )
    (tmp_path / "b.xml").write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><x/>")
    assert read_claims(tmp_path) == Claims(1, 1, True, 1920, 1080)


def test_a_disk_may_hold_anything(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from lenswatch.harness.evidence import write_bundle

    home = tmp_path / "home"
    home.mkdir()
    os.mkfifo(home / "pipe")
    (home / "loop").symlink_to(home)
    (home / "secret").symlink_to("/etc/hostname")
    assert look(home) == {}
    write_bundle(
        tmp_path / "bundle",
        GOOD.declaration,
        videos=[tmp_path / "none"],
        captures=[],
        home=home,
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        address="",
        names={},
    )
    disk = tmp_path / "bundle" / "recordings" / "disk"
    assert (disk / "secret").is_symlink()
    assert not (disk / "pipe").exists()


def test_a_video_that_leads_elsewhere_is_none(tmp_path: Path) -> None:
    from lenswatch.harness.certify import _own_file

    (tmp_path / "other").write_text("x")
    output = tmp_path / "output"
    output.mkdir()
    (output / "video.mp4").symlink_to(tmp_path / "other")
    assert not _own_file(output, "video.mp4").exists()
