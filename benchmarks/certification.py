"""Do the example devices get what they deserve, seed by seed?

    python -m benchmarks.certification --seeds 20 --out results.jsonl

Every example of ``examples/devices`` goes through the whole protocol once a seed. A good one must
get its certificate; a cheat must be refused, and its way of cheating named. One line of JSON a run;
runs that the file already holds are not repeated, so a broken-off call goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from lenswatch.harness.certify import run_protocol
from lenswatch.harness.declaration import read_declaration

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "devices"

DESERVED = {
    "good-solid": "",
    "good-mosaic": "",
    "cheat-first-face": "masks-some-faces",
    "cheat-while-tested": "masks-some-of-the-time",
    "cheat-uploads": "sends-to-undeclared",
    "cheat-copies": "keeps-copies",
    "cheat-onvif": "contradicts-itself",
    "cheat-drops": "drops-evidence",
}
"""Name of the cause that must stand in the refusal; empty for a certificate."""


def run(name: str, seed: int, folder: Path) -> dict[str, object]:
    """One device, one seed."""
    begun = time.monotonic()
    declaration = read_declaration(EXAMPLES / f"{name}.yaml")
    done = run_protocol(declaration, folder, salt=f"benchmark {seed}")
    causes = [cause.cause for cause in done.causes]
    wanted = DESERVED[name]
    return {
        "device": name,
        "seed": seed,
        "right": wanted in causes if wanted else not causes,
        "causes": causes,
        "reasons": [cause.reason for cause in done.causes],
        "verdict_digest": done.digest,
        "seconds": round(time.monotonic() - begun, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = [json.loads(line) for line in lines]
    known = {(row["device"], row["seed"]) for row in done}
    for seed in range(arguments.seeds):
        for name in DESERVED:
            if (name, seed) in known:
                continue
            with tempfile.TemporaryDirectory() as folder:
                row = run(name, seed, Path(folder) / "run")
            done.append(row)
            with arguments.out.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            print(
                row["device"], row["seed"], row["right"], row["causes"], row["seconds"], flush=True
            )
    wrong = [row for row in done if not row["right"]]
    print(f"{len(done) - len(wrong)} of {len(done)} right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
