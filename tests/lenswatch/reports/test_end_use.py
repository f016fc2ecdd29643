from __future__ import annotations

from lenswatch.model import Basis, Verdict
from lenswatch.reports.end_use import Part, end_use
from lenswatch.reports.summary import Summary
from tests.lenswatch.reports import factories


def summary(*found: tuple[str, Verdict, Basis], **columns: list[str]) -> Summary:
    nodes = factories.inventory(
        3, node_id=["a", "b", "c"], vendor=["V", "V", "W"], model=["1", "1", ""], **columns
    )
    findings = [
        factories.finding(factories.CENTRAL, f"node:{node}", verdict, basis=basis)
        for node, verdict, basis in found
    ]
    return Summary(factories.result(findings, nodes))


def test_nodes_are_counted_by_vendor_and_model() -> None:
    uses = end_use(
        summary(
            ("a", Verdict.FAIL, Basis.PROVEN),
            ("b", Verdict.FAIL, Basis.INFERRED),
            ("c", Verdict.INCONCLUSIVE, Basis.PROVEN),
        )
    )
    assert [(use.vendor, use.model, use.nodes) for use in uses] == [("V", "1", 2), ("W", "", 1)]
    assert uses[0].parts == {"route-central": Part(2, 1, 0, 0)}
    assert uses[1].parts == {"route-central": Part(0, 0, 0, 1)}


def test_an_exception_does_not_undo_taking_part() -> None:
    uses = end_use(
        summary(("a", Verdict.EXCEPTED, Basis.PROVEN), ("b", Verdict.PASS, Basis.PROVEN))
    )
    assert uses[0].parts["route-central"] == Part(1, 0, 1, 0)


def test_a_node_that_fails_twice_is_one_node() -> None:
    uses = end_use(
        summary(
            ("a", Verdict.PASS, Basis.PROVEN),
            ("a", Verdict.FAIL, Basis.INFERRED),
            ("a", Verdict.FAIL, Basis.PROVEN),
        )
    )
    assert uses[0].parts["route-central"] == Part(1, 0, 0, 0)


def test_order_of_findings_is_irrelevant() -> None:
    found = [
        ("a", Verdict.FAIL, Basis.INFERRED),
        ("a", Verdict.PASS, Basis.PROVEN),
        ("b", Verdict.INCONCLUSIVE, Basis.PROVEN),
    ]
    assert end_use(summary(*found)) == end_use(summary(*reversed(found)))


def test_inventory_without_vendors() -> None:
    import pyarrow as pa

    from lenswatch.evidence.inventory import Inventory

    nodes = Inventory(pa.table({"node_id": ["a"], "kind": ["camera"]}))
    assert end_use(Summary(factories.result([], nodes))) == ()


def test_unnamed_vendors_are_nobodys_equipment() -> None:
    nodes = factories.inventory(2, node_id=["a", "b"], vendor=["", "V"], model=["1", "1"])
    uses = end_use(Summary(factories.result([], nodes)))
    assert [use.vendor for use in uses] == ["V"]
