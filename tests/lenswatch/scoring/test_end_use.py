"""What each vendor's equipment takes part in."""

from __future__ import annotations

from dataclasses import replace

from lenswatch.model import Basis, Finding, Verdict
from lenswatch.scoring import end_use
from tests.lenswatch.scoring._deployments import control, finding, inventory, pack

CITY = inventory(
    [
        {"node_id": "a", "kind": "camera", "vendor": "v", "model": "1"},
        {"node_id": "b", "kind": "camera", "vendor": "v", "model": "1"},
        {"node_id": "c", "kind": "camera", "vendor": "v", "model": "2"},
        {"node_id": "d", "kind": "camera", "vendor": "w", "model": "1"},
        {"node_id": "e", "kind": "camera"},
        {"node_id": "nvr", "kind": "recorder", "vendor": "w"},
    ]
)
CENTRAL = replace(control("p/central"), check="route-central")
OTHER = replace(control("p/plain"), check="route-plaintext")
PACKS = [pack("p", [CENTRAL, OTHER])]


def judged(**verdicts: Verdict) -> list[Finding]:
    return [finding("p/central", f"node:{node}", verdict) for node, verdict in verdicts.items()]


def test_by_vendor_and_model() -> None:
    findings = judged(a=Verdict.FAIL, b=Verdict.PASS, c=Verdict.FAIL, d=Verdict.EXCEPTED)
    findings[2] = replace(findings[2], basis=Basis.INFERRED)
    findings += [finding("p/plain", "node:a", Verdict.FAIL)]
    rows = {(row.vendor, row.model): row for row in end_use(findings, PACKS, CITY)}
    assert list(rows) == [
        ("", None),
        ("", ""),
        ("v", None),
        ("v", "1"),
        ("v", "2"),
        ("w", None),
        ("w", "1"),
    ]
    assert {row.use for row in rows.values()} == {"central collection"}
    whole = rows["v", None]
    assert (whole.devices, whole.proven, whole.inferred, whole.cleared) == (3, 1, 1, 1)
    assert (whole.least, whole.most, whole.coverage) == (1 / 3, 1 - 1 / 3, 1.0)
    # an exception hides nothing: it may take part
    excused = rows["w", None]
    assert (excused.excepted, excused.open, excused.least, excused.most) == (1, 0, 0.0, 1.0)
    assert excused.coverage == 0.0
    # a camera without a finding is open
    assert (rows["", None].open, rows["", None].coverage) == (1, 0.0)


def test_not_applicable_devices_are_left_out() -> None:
    findings = judged(a=Verdict.NOT_APPLICABLE, b=Verdict.FAIL, c=Verdict.NOT_APPLICABLE)
    rows = {(row.vendor, row.model): row for row in end_use(findings, PACKS, CITY)}
    assert rows["v", None].devices == 1
    assert ("v", "2") not in rows


def test_a_store_speaks_for_its_cameras() -> None:
    findings = [finding("p/central", "store:s", Verdict.FAIL)]
    rows = {
        (row.vendor, row.model): row
        for row in end_use(findings, PACKS, CITY, covers={"store:s": ["a", "unknown"]})
    }
    assert rows["v", "1"].proven == 1


def test_no_vendors_no_table() -> None:
    import pyarrow as pa

    from lenswatch.evidence.inventory import Inventory

    bare = Inventory(pa.table({"node_id": ["a"], "kind": ["camera"]}))
    assert end_use(judged(a=Verdict.FAIL), PACKS, bare) == ()
    assert end_use([], [pack("p", [OTHER])], CITY) == ()
