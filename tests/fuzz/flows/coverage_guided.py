"""Coverage-guided fuzzing of the uncompiled decoders.

    python tests/fuzz/flows/coverage_guided.py netflow9 FOLDER -runs=1000000 -max_len=400

Targets: netflow5, netflow9, ipfix, sflow, packets, capture. The folder takes what libFuzzer finds;
inputs of other versions than the target's are given the target's. What reaches new branches in
least bytes is kept in ``corpus/`` (see `corpus`) and replayed in every lane.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris

with atheris.instrument_imports(include=["lenswatch.evidence.flows", "lenswatch_kernels"]):
    import numpy as np

    from tests.fuzz.flows.seeds import seeds_of
    from tests.fuzz.flows.targets import run_one


def main() -> None:
    """Hand over to libFuzzer, which ends the process."""
    target, corpus = sys.argv[1], Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    np.seterr(all="ignore")  # unsigned arithmetic wraps on purpose; scalars would warn about it
    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[3:]], lambda data: run_one(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
