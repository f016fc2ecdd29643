"""Independent pieces of work on all cores, in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

_Done = TypeVar("_Done")

FEWEST = 4
"""Pieces from which a second process, which takes seconds to start, is worth it."""


def beside_each_other(
    work: Callable[..., _Done], arguments: Sequence[tuple[Any, ...]]
) -> Iterator[_Done]:
    """``work(*arguments[i])`` for each i, in order; the first error is raised as it is."""
    if len(arguments) < FEWEST or (os.cpu_count() or 1) < 2:
        for row in arguments:
            yield work(*row)
        return
    workers = min(os.cpu_count() or 1, len(arguments) // 2)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(work, *row) for row in arguments]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
