"""What the flow evidence can see: which routers exported, and whose silence hides what.

A pass of a routing check says that video was *not* seen to go somewhere. That means something only
where every router that could have carried it exported its records: otherwise leaving out one
router's export would turn a failure into a pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.inventory import Inventory
from lenswatch.model import joined, sentence
from lenswatch_kernels.address_lookup import build_address_index, find_owner

TOLERATED_LOSS = 0.001
"""Share of records that may be missing by the exporters' own counts. A camera that streams for an
hour shows in sixty records of a minute each; losing all of them at this rate does not happen by
chance."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """How far the absence of a flow can be trusted."""

    blind: NDArray[np.bool_]
    """Shape ``(nodes,)``: whether a router that may carry the node's traffic exported nothing."""
    silent: tuple[str, ...]
    """Ids of the routers of the inventory that exported nothing."""
    lost_share: float
    """Records missing by sequence numbers, as a share of all."""
    exporters: int = 0
    """Sources of flow records."""

    def doubt(self, row: int) -> str:
        """Why not seeing a flow of this node proves nothing; empty where it does."""
        if self.blind[row]:
            named = joined(self.silent[:3], "{first}, {second}")
            if len(self.silent) > 3:
                named = sentence("{names} and others", names=named)
            return sentence(
                "No export of every router on its way is in the evidence; missing: {routers}.",
                routers=named,
            )
        if self.lost_share > TOLERATED_LOSS:
            return sentence(
                "{share:.1%} of the flow records were lost before they were kept.",
                share=self.lost_share,
            )
        return ""


def see(inventory: Inventory, exporters: Sequence[str], records: int, lost_records: int) -> Vantage:
    """Compare exporters with the routers of the inventory.

    ``exporters`` holds the address of each, empty where the evidence does not tell it (captures,
    logs, raw payloads): such a one stands for one router that is otherwise silent. A silent router
    blinds the nodes of its district; one whose district has no camera (a core) blinds all.
    """
    silent = np.zeros(len(inventory), np.bool_)
    routers = np.flatnonzero(inventory.kind == "router")
    silent[routers] = True
    known = {text for text in exporters if text}
    silent[_owners(inventory, known)] = False
    unnamed = len(exporters) - sum(1 for text in exporters if text)
    if int(silent.sum()) <= unnamed:
        silent[:] = False
    total = records + lost_records
    return Vantage(
        may_carry(inventory, silent),
        tuple(str(inventory.node_id[row]) for row in np.flatnonzero(silent)),
        lost_records / total if total else 0.0,
        len(exporters),
    )


def may_carry(inventory: Inventory, routers: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Nodes whose traffic some routers may carry; both of shape ``(nodes,)``.

    A router carries that of its own district; one whose district has no camera, or none at all
    (a core), that of every node.
    """
    coded = inventory.codes("district")
    if not routers.any() or coded is None:
        return np.full(len(inventory), bool(routers.any()))
    codes, _ = coded
    local = routers & (codes >= 0) & np.isin(codes, codes[inventory.cameras])
    carried: NDArray[np.bool_] = np.isin(codes, codes[local]) & (codes >= 0)
    return carried | bool((routers & ~local).any())


def _owners(inventory: Inventory, addresses: set[str]) -> NDArray[np.int64]:
    ranges = inventory.address_ranges
    if ranges is None or not addresses:
        return np.zeros(0, np.int64)
    values = []
    for text in sorted(addresses):
        address = ipaddress.ip_address(text)
        values.append(int(address) + (0xFFFF << 32 if address.version == 4 else 0))
    index = build_address_index(*ranges[:5])
    owner = find_owner(
        index,
        np.array([value >> 64 for value in values], np.uint64),
        np.array([value & ((1 << 64) - 1) for value in values], np.uint64),
    )
    return owner[owner >= 0].astype(np.int64)
