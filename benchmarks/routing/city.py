"""A city's flow records, hours or a day of them: the audit's flow part against ``cat``.

    python -m benchmarks.routing.city [--cameras 500000] [--hours 24] [--folder /var/tmp]

Simulates the exports of every router of a scenario, hour after hour into one file a router (a day
of ``central-chongqing`` at 500,000 cameras is 432 million records in 25 GB), then, each in one
process and with the page cache dropped before (which takes root): ``cat`` of the files, and
everything the audit does with them. The cameras that the audit proves to send to a central sink
must be those of the truth. Prints seconds, their ratio, peak memory and the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

from lenswatch.audit import _measure_routing
from lenswatch.evidence.bundle import open_bundle
from lenswatch.model import Problem
from lenswatch_kernels import pcap
from lenswatch_sim import cameras, inventory, routers, simulation
from lenswatch_sim.city import City
from lenswatch_sim.scenario import load_scenario

_FILE_HEAD, _FRAME_HEAD, _SEQUENCE = 24, 42, 8
"""Bytes of a capture's head, of the headers before an IPFIX message, and of what comes in one
before its sequence number."""


def write(bundle: Path, count: int, hours: int, scenario: str = "central-chongqing") -> int:
    """Inventory and exports of the city; gives the records written."""
    city = City(load_scenario(scenario), 1, count)
    (bundle / "flows").mkdir(parents=True)
    simulation._write_heads(city, bundle)
    inventory.write_routing(city, bundle.parent / "routing.parquet")
    end = cameras.parse_moment(str(city.scenario.values["deployment"]["as_of"]))
    sent: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=bundle.parent) as name:
        for hour in range(hours):
            begin_ms = int((end - timedelta(hours=hours - hour)).timestamp() * 1000)
            told = routers.write_flows(city, Path(name), begin_ms, begin_ms + 3_600_000)
            for router, what in told.items():
                assert hours == 1 or what["format"] == "ipfix"  # others number otherwise
                part = Path(name) / f"{router}.pcap"
                _append(part, bundle / "flows" / part.name, sent.get(router, 0))
                sent[router] = sent.get(router, 0) + what["records"]
    return sum(sent.values())


def _append(part: Path, whole: Path, sent: int) -> None:
    """Add an hour to a router's file, its sequence numbers going on from the hour before."""
    if not sent:
        part.rename(whole)
        return
    data = np.fromfile(part, np.uint8)
    part.unlink()
    at = pcap.next_packets(data, pcap.start_walk(data), data.size // 16).offset
    place = (at + _FRAME_HEAD + _SEQUENCE)[:, None] + np.arange(4)
    number = np.ascontiguousarray(data[place]).view(">u4")[:, 0].astype(np.int64) + sent
    data[place] = number.astype(">u4").view(np.uint8).reshape(-1, 4)
    with whole.open("ab") as out:
        data[_FILE_HEAD:].tofile(out)


def audit(bundle: Path, threads: int) -> None:
    """Measure the flows of a bundle; print what it took, as JSON."""
    import pyarrow.parquet

    evidence = open_bundle(bundle)
    began, cpu = time.perf_counter(), time.process_time()
    problems: list[Problem] = []
    routing = _measure_routing(evidence, problems, threads, None, None)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    truth = pyarrow.parquet.read_table(bundle.parent / "routing.parquet")
    row = [evidence.inventory.row_of(name) for name in truth["node_id"].to_pylist()]
    really = truth["proven"].to_numpy(zero_copy_only=False)
    really = really & truth["reaches_central"].to_numpy(zero_copy_only=False)
    found = routing.reaches_central[np.array(row)]
    told = {
        "seconds": took,
        "cpu": cpu,
        "records": routing.conversations.records,
        "conversations": len(routing.conversations.sender),
        "wrong": int(np.count_nonzero(found != really)),
        "cameras": len(row),
        "doubt": routing.vantage.lost_share,
        "problems": len(problems),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def _cold() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def compare(bundle: Path, threads: int, *, cold: bool) -> None:
    """``cat`` and the audit, one after the other; prints a row of the table."""
    files = sorted((bundle / "flows").iterdir())
    size = sum(file.stat().st_size for file in files)
    if cold:
        _cold()
    began = time.perf_counter()
    subprocess.run(["cat", *map(str, files)], stdout=subprocess.DEVNULL, check=True)
    floor = time.perf_counter() - began
    if cold:
        _cold()
    command = [sys.executable, "-m", "benchmarks.routing.city", "--audit", str(bundle)]
    text = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, check=True
    ).stdout
    told = json.loads(text)
    print(
        f"| {told['cameras']:,} | {told['records']:,} | {size / 1e9:.2f} GB | "
        f"{'cold' if cold else 'cached'} | {threads} | {floor:.2f} s | {told['seconds']:.2f} s | "
        f"{told['seconds'] / floor:.1f} | {told['cpu']:.1f} s | {told['peak']:,.0f} MiB | "
        f"{told['conversations']:,} | {told['wrong']} | {os.getloadavg()[0]:.1f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, nargs="+", default=[5_000, 50_000, 500_000])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--scenario", default="central-chongqing")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--cached", action="store_true", help="Leave the page cache as it is.")
    parser.add_argument("--write", type=Path, help="Only write the bundle, into this folder.")
    parser.add_argument("--audit", type=Path, help="Only audit this bundle.")
    parser.add_argument("--compare", type=Path, help="Compare on a bundle written before.")
    chosen = parser.parse_args()
    if chosen.audit:
        return audit(chosen.audit, chosen.threads)
    if chosen.write:
        write(chosen.write, chosen.cameras[0], chosen.hours, chosen.scenario)
        return None
    print("| cameras | records | bytes | cache | threads | cat | audit | ratio | processor | peak "
          "| conversations | wrong | load |\n" + "|---" * 13 + "|", flush=True)  # fmt: skip
    if chosen.compare:
        for _ in range(chosen.repeats):
            compare(chosen.compare, chosen.threads, cold=not chosen.cached)
        return None
    for count in chosen.cameras:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
            bundle = Path(name) / "bundle"
            write(bundle, count, chosen.hours, chosen.scenario)
            for _ in range(chosen.repeats):
                compare(bundle, chosen.threads, cold=not chosen.cached)
    return None


if __name__ == "__main__":
    main()
