"""Dask workers: started here, or somewhere else and reached through a scheduler."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from lenswatch.errors import UsageError

Progress = Callable[[str, int, int], None]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AHEAD = 4
"""Parts given out for each thread of the workers: enough that none waits for the next."""

PATIENCE_S = 60.0
"""How long an audit waits for a worker when there is none left."""

TRIES = 5
"""How often a part is given out anew after Dask itself gave up on it, which it does when three
workers died with it."""

_POLL_S = 2.0


class Cluster:
    """Workers that measure parts of the evidence."""

    def __init__(self, client: Any, *, patience_s: float = PATIENCE_S) -> None:
        self._client = client
        self._patience_s = patience_s

    def threads(self) -> int:
        """Threads of all workers that are there now."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return sum(worker["nthreads"] for worker in workers.values())

    def map(
        self,
        function: Callable[[_Item], _Result],
        items: Sequence[_Item],
        *,
        stage: str,
        progress: Progress | None = None,
    ) -> list[_Result]:
        """``function`` of each item, in the order of the items.

        The function must be pure: a part is measured again where its worker was lost. Its own
        errors are raised here. Raises :class:`UsageError` where no worker is left, or where a part
        takes every worker with it.
        """
        from distributed import wait

        results: dict[int, _Result] = {}
        waiting = deque(enumerate(items))
        running: dict[Any, int] = {}
        tries = [0] * len(items)
        alive = time.monotonic()
        threads = 0
        try:
            while waiting or running:
                if threads == 0:
                    threads = self.threads()
                while waiting and len(running) < AHEAD * max(threads, 1):
                    number, item = waiting.popleft()
                    running[self._client.submit(function, item, pure=False)] = number
                try:
                    with self._client.as_current():
                        done = wait(list(running), _POLL_S, "FIRST_COMPLETED").done
                except TimeoutError:
                    threads = self.threads()
                    if threads:
                        alive = time.monotonic()
                    elif time.monotonic() - alive > self._patience_s:
                        raise UsageError(
                            "no worker is left; start workers at the scheduler and audit again"
                        ) from None
                    continue
                alive = time.monotonic()
                for future in done:
                    number = running.pop(future)
                    if self._lost(future):
                        tries[number] += 1
                        if tries[number] > TRIES:
                            raise UsageError(
                                f"part {number + 1} of {len(items)} ({stage}) took every worker "
                                "with it; give the workers more memory"
                            )
                        waiting.appendleft((number, items[number]))
                        continue
                    results[number] = future.result()
                    if progress is not None:
                        progress(stage, len(results), len(items))
        finally:
            self._client.cancel(list(running))
        return [results[number] for number in range(len(items))]

    def _lost(self, future: Any) -> bool:
        """Whether the part ended because of its workers and not by itself."""
        from distributed import KilledWorker

        if future.status == "cancelled":
            return True
        return future.status == "error" and isinstance(future.exception(), KilledWorker)


@contextmanager
def open_cluster(
    scheduler: str = "",
    *,
    workers: int = 0,
    patience_s: float = PATIENCE_S,
) -> Iterator[Cluster]:
    """The workers of a ``scheduler`` (an address such as ``tcp://10.0.0.1:8786``), or ``workers``
    processes of one thread each on this machine, which end with the context.

    ``patience_s`` is how long to wait for an answer of the scheduler, and for a worker where there
    is none. Raises :class:`UsageError` where Dask is not installed or no scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UsageError(
            "auditing with several workers needs Dask; install it with "
            "`pip install 'lenswatch[scale]'`"
        ) from error
    if scheduler:
        try:
            client = Client(scheduler, timeout=patience_s, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                "no scheduler answers there; give its address as it prints it, such as "
                "tcp://10.0.0.1:8786"
            ) from error
        with client:
            yield Cluster(client, patience_s=patience_s)
        return
    if workers < 1:
        raise ValueError("workers must be positive")
    with (
        # Whoever can speak to a worker can run programs on it: certificates for this run alone.
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            security=True,
            silence_logs=logging.CRITICAL,
        ) as local,
        Client(local, set_as_default=False) as client,
    ):
        yield Cluster(client, patience_s=patience_s)
