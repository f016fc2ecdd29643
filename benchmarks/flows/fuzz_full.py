"""100 million mutated messages through the compiled decoders.

    python -m benchmarks.flows.fuzz_full [--messages 100000000] [--seconds 3600]

Run it with ``NUMBA_BOUNDSCHECK=1`` too: then an out-of-bounds read is an error, not silence. It
says how many messages of each format went through, and ends at the first exception, with the seed
of the round that raised it.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from tests.fuzz.flows.seeds import export_seeds, mutate, packet_seeds, sflow
from tests.fuzz.flows.targets import Targets

BATCH = 200_000
MEMORY_GROWTH_KB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    formats = {"exports": export_seeds(), "sflow": [sflow()], "packets": packet_seeds()}
    done = dict.fromkeys(formats, 0)
    decoded = dict.fromkeys(formats, 0)
    began = time.monotonic()
    number = chosen.seed
    memory = 0
    while sum(done.values()) < chosen.messages and time.monotonic() - began < chosen.seconds:
        targets = Targets()
        for name, seeds in formats.items():
            generator = np.random.default_rng(number)
            try:
                found = getattr(targets, f"run_{name}")(*mutate(generator, seeds, BATCH))
            except BaseException:
                print(f"{name}: round with seed {number} raised")
                raise
            done[name] += BATCH
            decoded[name] += found
            number += 1
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory = memory or used
        if used - memory > MEMORY_GROWTH_KB:
            raise MemoryError(f"resident memory grew by {(used - memory) >> 10} MiB")
    took = time.monotonic() - began
    for name, count in done.items():
        print(f"{name:8} {count:>12,} messages, {decoded[name]:>12,} rows")
    print(f"all      {sum(done.values()):>12,} messages in {took:,.0f} s, peak {used >> 10:,} MiB")


if __name__ == "__main__":
    main()
