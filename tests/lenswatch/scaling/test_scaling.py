"""Several workers give the bytes of one process, whatever happens to them."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lenswatch.audit import run_audit
from lenswatch.errors import UsageError
from lenswatch.evidence.bundle import open_bundle
from lenswatch.scaling import Cluster, cluster, open_cluster
from lenswatch.scaling.evidence import SharedEvidence
from lenswatch_sim import simulate

pytest.importorskip("distributed", reason="needs lenswatch[scale]")
pytestmark = [
    pytest.mark.xdist_group("scaling"),
    # Dask's comms may still be closing when a worker was killed on purpose
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cameras and three recorders, some evidence broken, and one process's audit of them."""
    out = tmp_path_factory.mktemp("city")
    simulate("small-city", cameras=6, seed=5, out=out, changes={"video.seconds": 3})
    flows = out / "bundle" / "flows"
    (flows / "aaa.bin").write_bytes(b"nothing of the kind" * 50)
    for whole in sorted(flows.glob("*.pcap"))[::2]:
        whole.write_bytes(whole.read_bytes()[:-7])
    clip = next((out / "bundle" / "video").rglob("*.mp4"))
    clip.write_bytes(clip.read_bytes()[:-5000])
    run_audit(out / "bundle", out=out / "alone")
    return out


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    with open_cluster(workers=2, patience_s=20) as opened:
        yield opened


def pids(workers: Cluster) -> list[int]:
    return list(workers._client.run(os.getpid, on_error="ignore").values())


def audit_on(workers: Cluster, city: Path, name: str) -> None:
    run_audit(city / "bundle", out=city / name, cluster=workers)
    for file in ("findings.json", "report.html"):
        assert (city / name / file).read_bytes() == (city / "alone" / file).read_bytes()


def test_two_workers_give_the_bytes_of_one_process(city: Path, two: Cluster) -> None:
    audit_on(two, city, "two")


def kill_at_random(city: Path, two: Cluster, seed: int) -> None:
    """Kill one of the workers at a moment within the audit."""
    chance = random.Random(seed)
    started = time.monotonic()
    audit_on(two, city, f"undisturbed-{seed}")
    moment = chance.uniform(0.0, time.monotonic() - started)
    killed = []

    def kill() -> None:
        victim = chance.choice(pids(two))
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    timer = threading.Timer(moment, kill)
    timer.start()
    try:
        audit_on(two, city, f"disturbed-{seed}")
    finally:
        timer.join()
    assert killed


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_worker_changes_nothing(city: Path, two: Cluster, seed: int) -> None:
    kill_at_random(city, two, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_ten_killed_workers_change_nothing(city: Path, two: Cluster, seed: int) -> None:
    kill_at_random(city, two, seed)


def test_results_come_in_the_order_of_the_parts(two: Cluster) -> None:
    seen: list[tuple[str, int, int]] = []
    parts = list(range(40))
    told = two.map(abs, parts, stage="x", progress=lambda *done: seen.append(done))
    assert told == parts
    assert seen == [("x", done + 1, 40) for done in parts]
    assert two.map(abs, [], stage="x") == []


def test_an_error_of_a_part_is_raised_here(two: Cluster) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        two.map(int, ["1", "no"], stage="x")


def test_a_part_that_kills_every_worker_ends_the_audit(
    two: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "TRIES", 0)
    with pytest.raises(UsageError, match="took every worker with it"):
        two.map(os._exit, [1], stage="x")
    assert two.map(abs, [-1], stage="x") == [1]


def test_an_audit_without_workers_ends() -> None:
    with open_cluster(workers=1, patience_s=3) as one:
        one._client.cluster.scale(0)
        with pytest.raises(UsageError, match="no worker is left"):
            one.map(abs, [1], stage="x")


def test_a_scheduler_that_does_not_answer_is_said() -> None:
    for address in ("tcp://127.0.0.1:9", "no-such-thing://x"):
        with (
            pytest.raises(UsageError, match="no scheduler answers"),
            open_cluster(address, patience_s=1),
        ):
            pass


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"lenswatch\[scale\]"), open_cluster(workers=1):
        pass


def test_a_worker_with_other_evidence_refuses(city: Path, tmp_path: Path) -> None:
    bundle = open_bundle(city / "bundle")
    shared = SharedEvidence.of(bundle)
    assert shared.open().deployment == bundle.deployment
    gone = SharedEvidence(str(tmp_path / "nowhere"), shared.fingerprint)
    with pytest.raises(UsageError, match="does not see the bundle"):
        gone.open()
    other = SharedEvidence(shared.root, "0" * 64)
    with pytest.raises(UsageError, match="does not see the bundle"):
        other.open()
    older = SharedEvidence(shared.root, shared.fingerprint, version="0.0.1")
    with pytest.raises(UsageError, match="same version"):
        older.open()


def test_refusals_end_an_audit(city: Path, two: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenswatch.scaling.evidence.__version__", "0.0.1")
    monkeypatch.setattr(SharedEvidence, "of", lambda bundle: SharedEvidence("/x", "", "0.0.1"))
    with pytest.raises(UsageError, match="same version"):
        run_audit(city / "bundle", cluster=two)
