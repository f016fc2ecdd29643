"""The kept corpus: the least of what the coverage-guided fuzzer found that takes all its steps.

One file a target in ``corpus/``, one input a line as hexadecimal: small enough to read a change of
it. Made from the seeds of `seeds` alone, no recorded traffic is in it.

    NUMBA_DISABLE_JIT=1 python -m tests.fuzz.flows.corpus FOLDER

takes, shortest first, the inputs below ``FOLDER/<target>/`` and those kept already that go from a
line to a line to which no shorter one went.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).parent / "corpus"
TARGETS = ("netflow5", "netflow9", "ipfix", "sflow", "packets", "capture")
_CODE = ("lenswatch_kernels", "evidence/flows")


def kept(target: str) -> list[bytes]:
    """Inputs kept for one target."""
    path = HERE / f"{target}.hex"
    return (
        [bytes.fromhex(line) for line in path.read_text("ascii").split()] if path.exists() else []
    )


def steps(target: str, data: bytes) -> set[tuple[str, int, int]]:
    """Steps from line to line that the decoders take over one input."""
    from tests.fuzz.flows.targets import run_one

    taken: set[tuple[str, int, int]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not any(part in name for part in _CODE):
            return None
        before = frame.f_lineno

        def inside(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            taken.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return inside

        return inside

    sys.settrace(trace)
    try:
        run_one(target, data)
    finally:
        sys.settrace(None)
    return taken


def main() -> None:
    """Choose and keep, and say how much was kept."""
    import numpy as np

    np.seterr(all="ignore")
    HERE.mkdir(exist_ok=True)
    for target in TARGETS:
        found = {path.read_bytes() for path in (Path(sys.argv[1]) / target).glob("*")}
        known: set[tuple[str, int, int]] = set()
        chosen = []
        for data in sorted(found.union(kept(target)), key=lambda data: (len(data), data)):
            new = steps(target, data) - known
            if new and data:
                known |= new
                chosen.append(data.hex())
        (HERE / f"{target}.hex").write_text("\n".join(chosen) + "\n", "ascii")
        print(f"{target}: {len(chosen)} of {len(found)} inputs, {len(known)} steps")


if __name__ == "__main__":
    main()
