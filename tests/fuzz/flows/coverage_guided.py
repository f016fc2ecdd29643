"""Coverage-guided fuzzing of the uncompiled decoders.

    NUMBA_DISABLE_JIT=1 python tests/fuzz/flows/coverage_guided.py exports corpus/ -runs=1000000

Targets: exports, sflow, packets, capture. The first run seeds the corpus folder from `seeds`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris

with atheris.instrument_imports(include=["lenswatch", "lenswatch_kernels"]):
    import numpy as np

    from tests.fuzz.flows.seeds import export_seeds, packet_seeds, sflow
    from tests.fuzz.flows.targets import Targets

SEEDS = {"exports": export_seeds, "sflow": lambda: [sflow()], "packets": packet_seeds}


def main() -> None:
    target, corpus = sys.argv[1], Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate({*SEEDS.get(target, packet_seeds)()}):
        (corpus / f"seed-{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        if not data:
            return
        targets = Targets()
        if target == "capture":
            targets.run_capture(data)
            return
        buffer = np.frombuffer(data, np.uint8)
        getattr(targets, f"run_{target}")(
            buffer, np.zeros(1, np.int64), np.array([len(data)], np.int64)
        )

    np.seterr(all="ignore")  # unsigned arithmetic wraps on purpose; scalars would warn about it
    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[3:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
