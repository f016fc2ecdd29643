"""Withholding evidence never raises ``low``: the whole audit, with real files held back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lenswatch.audit import judge, measure
from lenswatch.checks import load_checks
from lenswatch.evidence.bundle import Bundle, open_bundle
from lenswatch.measurements import Measurements
from lenswatch.policy import load_packs, shipped_packs
from lenswatch.scoring import score
from lenswatch_sim import simulate

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("withholding")]

PACKS = load_packs(shipped_packs())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Six cameras; their video is held back throughout, the score's own tests cover that."""
    out = tmp_path_factory.mktemp("city")
    simulate("small-city", cameras=6, seed=1, out=out, changes={"video.seconds": 1})
    return replace(open_bundle(out / "bundle"), videos=())


@pytest.fixture(scope="module")
def whole(bundle: Bundle) -> Measurements:
    return measure(bundle)


def lows(measurements: Measurements) -> Iterator[tuple[str, float]]:
    result = score(judge(measurements, PACKS, load_checks()), PACKS, measurements.inventory)
    yield "all", result.low
    for name in ("by_pack", "by_district", "by_vendor", "by_model"):
        for key, part in getattr(result, name).items():
            yield f"{name}.{key}", part.low


def raised(whole: Measurements, part: Measurements) -> list[str]:
    before = dict(lows(whole))
    return [name for name, low in lows(part) if low > before[name] + 1e-9]


def test_nothing_of_one_kind(whole: Measurements) -> None:
    for part in (replace(whole, routing=None), replace(whole, retention=None)):
        assert not raised(whole, part)


def test_any_store(bundle: Bundle, whole: Measurements) -> None:
    for store in bundle.stores:
        rest = tuple(other for other in bundle.stores if other != store)
        part = measure(replace(bundle, stores=rest, flow_files=()))
        assert not raised(whole, replace(whole, retention=part.retention)), store.id


def test_any_routers(bundle: Bundle, whole: Measurements) -> None:
    """Whatever part of the routers export: what they do not show is not known."""
    for size in range(1, len(bundle.flow_files)):
        for kept in itertools.combinations(bundle.flow_files, size):
            part = measure(replace(bundle, stores=(), flow_files=kept))
            names = [Path(path).name for path in kept]
            assert not raised(whole, replace(whole, routing=part.routing)), names
