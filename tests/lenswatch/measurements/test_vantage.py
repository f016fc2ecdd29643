from __future__ import annotations

from pathlib import Path

import pytest

from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements.vantage import see
from tests.lenswatch.builders import inventory_of

NODES = (
    "node_id,kind,district,addresses\n"
    "cam-n,camera,north,10.0.1.1\n"
    "cam-s,camera,south,10.0.2.1\n"
    "access-n,router,north,10.0.1.254\n"
    "access-s,router,south,10.0.2.254\n"
    "core,router,centre,10.9.0.254;2001:db8::9\n"
)
ALL = ["10.0.1.254", "10.0.2.254", "2001:db8::9"]


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return inventory_of(tmp_path, NODES)


@pytest.mark.parametrize(
    ("exporters", "silent", "blind"),
    [
        (ALL, (), []),
        (ALL[1:], ("access-n",), ["cam-n"]),
        (ALL[:2], ("core",), ["cam-n", "cam-s"]),
        ([], ("access-n", "access-s", "core"), ["cam-n", "cam-s"]),
        ([*ALL[1:], ""], (), []),
        ([ALL[0], ""], ("access-s", "core"), ["cam-n", "cam-s"]),
    ],
)
def test_a_silent_router_blinds_what_it_may_carry(
    inventory: Inventory, exporters: list[str], silent: tuple[str, ...], blind: list[str]
) -> None:
    vantage = see(inventory, exporters, 100, 0)
    assert vantage.silent == silent
    cameras = [inventory.node_id[row] for row in inventory.cameras if vantage.blind[row]]
    assert cameras == blind
    for row in inventory.cameras:
        assert bool(vantage.doubt(row)) == bool(vantage.blind[row])


def test_losses_above_one_in_a_thousand_are_doubted(inventory: Inventory) -> None:
    assert see(inventory, ALL, 100_000, 100).doubt(0) == ""
    assert "lost" in see(inventory, ALL, 100_000, 200).doubt(0)
    assert see(inventory, ALL, 0, 0).lost_share == 0


def test_inventories_that_say_little(tmp_path: Path) -> None:
    bare = inventory_of(tmp_path, "node_id,kind\na,camera\nr,router\n")
    assert see(bare, ["10.0.0.1"], 5, 0).blind.all()
    without_routers = inventory_of(tmp_path, "node_id,kind\na,camera\n")
    assert not see(without_routers, [], 5, 0).blind.any()
