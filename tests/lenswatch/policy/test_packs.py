"""The packs that ship: well-formed, sourced, and about checks that exist."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from lenswatch.checks import load_checks
from lenswatch.policy import load_packs, shipped_packs
from lenswatch.policy.loading import pack_schema

SHIPPED = {
    "chongqing-2009",
    "cn-799",
    "core",
    "crosswalk",
    "dual-use",
    "eu-ai-act",
    "eu-edpb",
    "iec-capability",
    "uk-scc",
    "us-ccops-889",
}


def test_all_packs_load_together_under_ids_of_their_own() -> None:
    packs = load_packs(shipped_packs())
    assert {pack.id for pack in packs} == SHIPPED
    ids = [control.id for pack in packs for control in pack.controls]
    assert len(ids) == len(set(ids))
    assert len({pack.digest for pack in packs}) == len(packs)
    assert all(pack.digest.startswith("sha256:") for pack in packs)


def test_no_words_give_core() -> None:
    assert [pack.id for pack in load_packs([])] == ["core"]


def test_every_check_stands_in_a_pack() -> None:
    """A check that no pack names would never run."""
    named = {control.check for pack in load_packs(shipped_packs()) for control in pack.controls}
    assert set(load_checks()) == named


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_controls_name_known_checks(name: str) -> None:
    for control in load_packs([name])[0].controls:
        assert control.check in load_checks()
        assert control.pack == name
        assert control.remediation.endswith(".")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(pack_schema())


def test_retention_pulls_both_ways() -> None:
    """72 hours at most in one pack, 30 days at least in another, and no pack has both."""
    europe, china = load_packs(["eu-edpb", "cn-799"])
    longest = next(c for c in europe.controls if c.check == "retention-over-limit")
    shortest = next(c for c in china.controls if c.check == "retention-under-minimum")
    assert (longest.max, longest.unit) == (72.0, "hours")
    assert (shortest.min, shortest.unit) == (30 * 24.0, "hours")


def test_the_overlay_takes_over_and_changes() -> None:
    base, overlay = load_packs(["cn-799", "chongqing-2009"])
    assert overlay.extends == ("cn-799",)
    assert [c.id.partition("/")[2] for c in base.controls] == [
        c.id.partition("/")[2] for c in overlay.controls
    ]
    changed = {c.id: c for c in overlay.controls}["chongqing-2009/retention-minimum"]
    assert changed.effective_from is None
    assert changed.min == 720.0
