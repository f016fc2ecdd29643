# ruff: noqa: E501  (rows of data stay rows)
"""The eight retention checks: each can pass, fail, and say that it cannot tell."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lenswatch.checks import CHECKS, Check
from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import measure_retention
from lenswatch.model import Confidence, Finding, Verdict
from lenswatch.policy import Control, Force, SourceBasis, load_packs
from tests.lenswatch.evidence.recordings import test_frigate
from tests.lenswatch.evidence.recordings.stores import mp4, put
from tests.lenswatch.evidence.recordings.test_databases import moonfire
from tests.lenswatch.measurements.test_retention import AS_OF, clip, inventory, store

BY_ID = {check.id: check for check in CHECKS if check.id.startswith("retention-")}
FRIGATE = StoreDeclaration(
    id="s", system="frigate", path="s", timezone="UTC", cameras={"front": "a"}
)


def control(check: str, **limits: object) -> Control:
    return Control(
        id=f"test/{check}", title="t", check=check, force=Force.DEFAULT, source="s",
        basis=SourceBasis.READ, remediation="r", unit="hours", **limits,  # type: ignore[arg-type]
    )  # fmt: skip


def judge(
    root: Path,
    check: str,
    cameras: Inventory,
    *stores: StoreDeclaration,
    default: float | None = 72,
    **limits: object,
) -> dict[str, Finding]:
    deployment = Deployment("d", AS_OF, declared_retention_hours=default)
    retention = measure_retention(stores, deployment, cameras, root=root) if stores else None
    measurements = Measurements(deployment, cameras, retention=retention)
    found = list(BY_ID[check].run(measurements, control(check, **limits)))
    assert len({f.subject for f in found}) == len(found), "one finding a subject"
    for finding in found:
        assert finding.reason
        assert finding.check == check
        if finding.interval and finding.measured is not None:
            assert finding.interval.lower <= finding.measured <= finding.interval.upper
    return {finding.subject: finding for finding in found}


def one(root: Path, check: str, *stores: StoreDeclaration, **limits: object) -> Finding:
    return judge(root, check, inventory(a=None), *(stores or (store(a="a"),)), **limits)["node:a"]


def test_there_are_eight() -> None:
    assert len(BY_ID) == 8


@pytest.mark.parametrize("check", BY_ID.values(), ids=lambda check: check.id)
def test_without_recordings_nothing_is_concluded(tmp_path: Path, check: Check) -> None:
    found = judge(tmp_path, check.id, inventory(a=None), max=1.0, min=1.0)
    assert {finding.verdict for finding in found.values()} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize("check", sorted(set(BY_ID) - {"retention-export-sinks", "retention-mask-is-not-privacy"}))  # fmt: skip
def test_a_camera_that_no_store_holds_is_inconclusive(tmp_path: Path, check: str) -> None:
    clip(tmp_path, "s", "a", 1)
    found = judge(tmp_path, check, inventory(a=None, z=None), store(a="a"), max=1.0, min=1.0)
    assert found["node:z"].verdict == Verdict.INCONCLUSIVE


# over the limit and under the minimum


def test_the_same_evidence_passes_one_rule_and_fails_another(tmp_path: Path) -> None:
    """72 hours at most, and 30 days at least: no store can keep both."""
    clip(tmp_path, "s", "a", 721)
    clip(tmp_path, "s", "b", 71)
    cameras, stores = inventory(a=None, b=None), (store(a="a", b="b"),)
    at_most = judge(tmp_path, "retention-over-limit", cameras, *stores, max=72.0)
    at_least = judge(tmp_path, "retention-under-minimum", cameras, *stores, min=720.0)
    assert (at_most["node:a"].verdict, at_most["node:b"].verdict) == (Verdict.FAIL, Verdict.PASS)
    assert (at_least["node:a"].verdict, at_least["node:b"].verdict) == (Verdict.PASS, Verdict.FAIL)
    for pack, subject, verdict in (
        ("eu-edpb", "retention-over-limit", Verdict.FAIL),
        ("cn-799", "retention-under-minimum", Verdict.PASS),
    ):
        deployment = Deployment("d", AS_OF)
        retention = measure_retention(stores, deployment, cameras, root=tmp_path)
        (rule,) = [c for c in load_packs([pack])[0].controls if c.check == subject]
        found = BY_ID[subject].run(Measurements(deployment, cameras, retention=retention), rule)
        assert next(iter(found)).verdict == verdict


@pytest.mark.parametrize(
    ("declared", "default", "verdict", "limit"),
    [
        (5.0, 72.0, Verdict.FAIL, 5.0),
        (None, 72.0, Verdict.PASS, 72.0),
        (None, None, Verdict.INCONCLUSIVE, None),
        (100.0, 1.0, Verdict.PASS, 100.0),
    ],
)
def test_the_declared_limit_of_the_camera_before_that_of_the_deployment(
    tmp_path: Path,
    declared: float | None,
    default: float | None,
    verdict: Verdict,
    limit: float | None,
) -> None:
    clip(tmp_path, "s", "a", 10)
    found = judge(tmp_path, "retention-over-limit", inventory(a=declared), store(a="a"),
                  default=default, limit_from="declared_retention_hours")["node:a"]  # fmt: skip
    assert (found.verdict, found.limit, found.measured) == (verdict, limit, 10)


def test_a_limit_between_two_clocks_is_not_judged(tmp_path: Path) -> None:
    begin = AS_OF - timedelta(hours=71)
    name = f"{begin:%Y%m%dT%H%M%SZ}.mp4"
    put(tmp_path / "recordings" / "s" / "a" / name, mp4(begin - timedelta(hours=2)))
    found = one(tmp_path, "retention-over-limit", max=72.0)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "container" in found.reason
    assert found.interval is not None
    assert (found.interval.lower, found.interval.upper) == (71, 73)
    assert one(tmp_path, "retention-over-limit", max=70.0).verdict == Verdict.FAIL
    assert one(tmp_path, "retention-over-limit", max=74.0).verdict == Verdict.PASS


def test_read_as_utc_a_local_time_would_pass(tmp_path: Path) -> None:
    begin = AS_OF - timedelta(hours=72.5)
    put(tmp_path / "recordings" / "s" / "a" / f"{begin + timedelta(hours=1):%Y-%m-%d_%H-%M-%S}.mp4",
        mp4(None))  # fmt: skip
    berlin = StoreDeclaration(id="s", system="directory", path="s", timezone="Europe/Berlin",
                              cameras={"a": "a"})  # fmt: skip
    assert one(tmp_path, "retention-over-limit", berlin, max=72.0).verdict == Verdict.FAIL


def test_modification_times_alone_pass_with_low_confidence(tmp_path: Path) -> None:
    put(tmp_path / "recordings" / "s" / "a" / "x.mp4", mp4(None), modified=AS_OF - timedelta(hours=1))  # fmt: skip
    found = one(tmp_path, "retention-over-limit", max=72.0)
    assert (found.verdict, found.confidence) == (Verdict.PASS, Confidence.LOW)
    assert "modification time" in found.reason


def broken(root: Path) -> None:
    begin = AS_OF - timedelta(hours=5)
    put(root / "recordings" / "s" / "a" / f"{begin:%Y%m%dT%H%M%SZ}.mp4", mp4(None)[:40])


def empty(root: Path) -> None:
    (root / "recordings" / "s").mkdir(parents=True)


def absent(root: Path) -> None:
    (root / "recordings").mkdir()


@pytest.mark.parametrize("damage", [broken, empty, absent])
def test_broken_evidence_is_inconclusive_and_named(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path)
    found = one(tmp_path, "retention-over-limit", max=72.0)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "recordings/s" in found.reason


@pytest.mark.parametrize("content", [b"", b"foreign", b"SQLite format 3\x00damaged"])
def test_a_broken_database_is_inconclusive_and_named(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / "recordings" / "s" / "frigate.db", content)
    found = one(tmp_path, "retention-over-limit", FRIGATE, max=72.0)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "recordings/s/frigate.db" in found.reason


def test_what_is_over_the_limit_fails_in_a_broken_store_too(tmp_path: Path) -> None:
    broken(tmp_path)
    clip(tmp_path, "s", "a", 100)
    assert one(tmp_path, "retention-over-limit", max=72.0).verdict == Verdict.FAIL


def test_a_setting_below_the_minimum_fails_whatever_is_there(tmp_path: Path) -> None:
    build_frigate(tmp_path, "record: {continuous: {days: 3}, alerts: {retain: {days: 1}}, detections: {retain: {days: 1}}}")  # fmt: skip
    found = one(tmp_path, "retention-under-minimum", FRIGATE, min=720.0)
    assert (found.verdict, found.confidence) == (Verdict.FAIL, Confidence.HIGH)


# settings


def build_frigate(root: Path, config: str, version: str = "0.18") -> Path:
    folder = test_frigate.build(root, version)
    put(folder / "config.yml", config.encode())
    return folder


def days(number: int) -> str:
    kinds = ("continuous: {days: %d}", "alerts: {retain: {days: %d}}", "detections: {retain: {days: %d}}")  # fmt: skip
    footage = ", ".join(kind % number for kind in kinds)
    return f"record: {{{footage}}}\nsnapshots: {{retain: {{default: 90}}}}\n"


@pytest.mark.parametrize(
    ("configured", "verdict"),
    [(5, Verdict.FAIL), (8, Verdict.PASS), (30, Verdict.INCONCLUSIVE)],
)
def test_configured_against_actual(tmp_path: Path, configured: int, verdict: Verdict) -> None:
    """The oldest file is 8 days less 12 hours old at the audit."""
    build_frigate(tmp_path, days(configured))
    assert one(tmp_path, "retention-configured-vs-actual", FRIGATE).verdict == verdict


def test_gone_too_soon_where_a_copy_proves_it(tmp_path: Path) -> None:
    build_frigate(tmp_path, days(30))
    clip(tmp_path, "nas", "a", 24 * 29)
    found = one(tmp_path, "retention-configured-vs-actual", FRIGATE, store("nas", a="a"))
    assert found.verdict == Verdict.FAIL
    assert "too soon" in found.reason


def test_unbounded(tmp_path: Path) -> None:
    build_frigate(tmp_path, days(5))
    assert one(tmp_path, "retention-unbounded", FRIGATE).verdict == Verdict.PASS
    (tmp_path / "recordings" / "s" / "config.yml").unlink()
    assert one(tmp_path, "retention-unbounded", FRIGATE).verdict == Verdict.INCONCLUSIVE
    moonfire(tmp_path)
    own = StoreDeclaration(id="m", system="moonfire", path="s", cameras={"Gate": "a"})
    found = one(tmp_path, "retention-unbounded", own)
    assert found.verdict == Verdict.FAIL
    assert "retainBytes" in found.reason
    found = one(tmp_path, "retention-configured-vs-actual", own)
    assert found.verdict == Verdict.NOT_APPLICABLE


# escapes, copies, sinks, masks


def test_escapes(tmp_path: Path) -> None:
    folder = build_frigate(tmp_path, days(8))
    found = one(tmp_path, "retention-escapes", FRIGATE)
    assert (found.verdict, found.measured) == (Verdict.FAIL, 2)
    assert "exported" in found.reason
    assert "favourite" in found.reason
    assert one(tmp_path, "retention-escapes", FRIGATE, max=24.0 * 365).verdict == Verdict.PASS
    connection = sqlite3.connect(folder / "frigate.db")
    connection.executescript("DELETE FROM event; DELETE FROM export;")
    connection.close()
    for name in ("exports/front_x.mp4", "clips/front-e1.jpg"):
        (folder / name).unlink()
    assert one(tmp_path, "retention-escapes", FRIGATE).verdict == Verdict.PASS


def test_face_crops_are_a_finding_of_the_store(tmp_path: Path) -> None:
    folder = build_frigate(tmp_path, days(8))
    put(folder / "clips" / "faces" / "Ada" / "1.webp", b"x")
    found = judge(tmp_path, "retention-escapes", inventory(a=None), FRIGATE)["store:s"]
    assert (found.verdict, found.measured) == (Verdict.FAIL, 1)
    assert "face" in found.reason
    assert "Ada" not in repr(found)


def test_copies(tmp_path: Path) -> None:
    clip(tmp_path, "s", "a", 10)
    clip(tmp_path, "nas", "a", 50)
    both = (store(a="a"), store("nas", a="a"))
    found = one(tmp_path, "retention-copies", *both)
    assert (found.verdict, found.measured) == (Verdict.FAIL, 40)
    assert one(tmp_path, "retention-copies", *both, max=60.0).verdict == Verdict.PASS
    assert one(tmp_path, "retention-copies", store(a="a")).confidence == Confidence.MEDIUM


def test_export_sinks(tmp_path: Path) -> None:
    def found() -> Finding:
        return judge(tmp_path, "retention-export-sinks", inventory(a=None), FRIGATE)["store:s"]

    folder = build_frigate(tmp_path, days(8) + "mqtt: {enabled: true, host: h}\n")
    assert found().verdict == Verdict.FAIL
    put(folder / "config.yml", (days(8) + "mqtt: {enabled: false}\n").encode())
    assert found().verdict == Verdict.INCONCLUSIVE  # the rules are clean; flows there are none
    assert found().reason.startswith("No rule of the recorder")
    (folder / "config.yml").unlink()
    assert found().reason.startswith("The recorder's rules are not in the bundle")


@pytest.mark.parametrize(
    ("mask", "declared", "verdict"),
    [
        (True, True, Verdict.FAIL),
        (True, False, Verdict.PASS),
        (True, None, Verdict.INCONCLUSIVE),
        (False, True, Verdict.INCONCLUSIVE),
        (False, False, Verdict.NOT_APPLICABLE),
    ],
)
def test_a_detection_mask_is_no_privacy_mask(
    tmp_path: Path, mask: bool, declared: bool | None, verdict: Verdict
) -> None:
    build_frigate(tmp_path, "cameras: {front: {motion: {mask: '0,0,1,1'}}}" if mask else "mqtt: {enabled: false}")  # fmt: skip
    value = None if declared is None else float(declared)
    cameras = Inventory(pa.table({"node_id": ["a"], "kind": ["camera"],
                                  "declared_masked": pa.array([value], pa.float64())}))  # fmt: skip
    found = judge(tmp_path, "retention-mask-is-not-privacy", cameras, FRIGATE)["node:a"]
    assert found.verdict == verdict
