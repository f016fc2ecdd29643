"""``python -m benchmarks [--quick] [--out FILE] [SUBJECT ...]``."""

from __future__ import annotations

import argparse
import importlib
import json
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.comparison import Comparison, machine

HERE = Path(__file__).parent


def main() -> int:
    """Run the benchmarks; exit code 1 where one of them broke (a missed goal is no break)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", help="folders below benchmarks/; default: all")
    parser.add_argument("--quick", action="store_true", help="small data, few repeats")
    parser.add_argument("--out", type=Path, default=Path(".benchmarks"), help="folder for JSON")
    options = parser.parse_args()
    console = Console()
    results: list[Comparison] = []
    broken = []
    for path in sorted(HERE.glob("*/bench_*.py")):
        if options.subjects and path.parent.name not in options.subjects:
            continue
        name = f"benchmarks.{path.parent.name}.{path.stem}"
        console.print(f"[dim]{name}[/]")
        try:
            results.extend(importlib.import_module(name).run(options.quick))
        except Exception:
            broken.append(name)
            console.print(traceback.format_exc(), style="red", markup=False)
    table = Table("question", "peer", "ours", "peer's", "faster", "spread", "goal")
    for result in results:
        low, high = result.spread
        met = result.goal is None or result.ratio >= result.goal
        table.add_row(
            result.question,
            result.peer,
            f"{sorted(result.ours_s)[len(result.ours_s) // 2] * 1000:.1f} ms",
            f"{sorted(result.peer_s)[len(result.peer_s) // 2] * 1000:.1f} ms",
            f"{result.ratio:.2f}×",
            f"{low:.2f}-{high:.2f}×",
            "" if result.goal is None else f"{'met' if met else '[red]missed[/]'} {result.goal:g}×",
        )
    console.print(table)
    options.out.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    file = options.out / f"{stamp}.json"
    content = {"machine": machine(), "results": [result.as_dict() for result in results]}
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    console.print(f"Results: {file}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
