"""Naive twin of lenswatch_kernels.address_text: the standard library's own parser."""

from __future__ import annotations

import ipaddress


def parse_cell(cell: str) -> tuple[list[tuple[int, int]], bool]:
    """Ranges (first, last) as 128-bit numbers, and whether a part was malformed."""
    ranges = []
    malformed = False
    for raw in cell.split(";"):
        part = raw.strip(" ")
        if not part:
            continue
        if "%" in part or part.count("/") > 1:
            malformed = True
            continue
        suffix = part.partition("/")[2]
        if "/" in part and not (suffix.isascii() and suffix.isdigit() and len(suffix) <= 3):
            malformed = True  # the standard library also takes netmasks here
            continue
        try:
            network = ipaddress.ip_network(part, strict=False)
        except ValueError:
            malformed = True
            continue
        base = 0xFFFF << 32 if network.version == 4 else 0
        ranges.append((base + int(network[0]), base + int(network[-1])))
    return ranges, malformed
