"""What two workers of one thread cost against one process with two threads, on one bundle.

    python -m benchmarks.city.workers BUNDLE [--repeats 3]

Both audit in turns, workers started anew each time; their findings must be the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.comparison import compare


def main() -> None:
    from lenswatch.audit import run_audit
    from lenswatch.scaling import open_cluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        alone, several = Path(folder) / "alone", Path(folder) / "several"

        def with_workers() -> bytes:
            with open_cluster(workers=2) as cluster:
                run_audit(options.bundle, out=several, cluster=cluster)
            return (several / "findings.json").read_bytes()

        def by_itself() -> bytes:
            run_audit(options.bundle, out=alone, threads=2)
            return (alone / "findings.json").read_bytes()

        result = compare(
            "an audit on two workers",
            "one process with two threads",
            with_workers,
            by_itself,
            repeats=options.repeats,
            equal=bytes.__eq__,
            goal=1 / 1.15,
            facts={"load": load},
        )
    print(json.dumps(result.as_dict(), indent=1))


if __name__ == "__main__":
    main()
