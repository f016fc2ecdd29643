"""Audits as durable jobs: DBOS keeps the queue, a process of its own does the work.

What an audit is and how far it is stands in the table ``audits``; DBOS remembers that it still has
to run, and starts it again after the service was killed. The two cannot drift apart for long: on
every start, and every few seconds, each unfinished audit is enqueued again unless DBOS has it.

A decoder that crashes on hostile evidence ends its process, not the service. A process that
outlives the service ends itself, and the number of the attempt keeps it from writing anything
(``audits/worker.py``).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy.exc import SQLAlchemyError

from lenswatch.evidence.live_scope import confinement
from lenswatch_api.archives import remove_tree
from lenswatch_api.audits import attempts
from lenswatch_api.audits.job import Job
from lenswatch_api.audits.state import State
from lenswatch_api.bundles.storage import at_hand
from lenswatch_api.database import Database
from lenswatch_api.identifiers import now
from lenswatch_api.metrics import Metrics
from lenswatch_api.problems import ApiProblem
from lenswatch_api.settings import Settings
from lenswatch_api.tables import Audit, Bundle

logger = logging.getLogger("lenswatch.jobs")

_QUEUE = "audits"
_TICK_SECONDS = 0.25
_SWEEP_SECONDS = 10.0
_ALIVE = ("PENDING", "ENQUEUED", "DELAYED")
_running: Jobs | None = None
"""DBOS finds workflows by name in this module, so the service that runs is found here too."""


class Interrupted(Exception):
    """The service stops; the audit goes on after the next start."""


@DBOS.step(name="audit-in-a-process")
def _audit_step(audit_id: str) -> str:
    if _running is None:
        raise RuntimeError("the service is not running")
    return _running.run(audit_id)


@DBOS.workflow(name="audit", max_recovery_attempts=1_000_000)
def _audit_workflow(audit_id: str) -> str:
    return _audit_step(audit_id)


class Jobs:
    """The queue of one service. There is one at a time in a process."""

    def __init__(self, settings: Settings, database: Database, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self._confinement = confinement(settings.live_scope)
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._attempts = 0
        self._enqueuing = threading.Lock()
        self._sweeper = threading.Thread(target=self._sweep, name="audit-sweeper", daemon=True)

    def start(self) -> None:
        """Start the queue, and every audit that was interrupted."""
        global _running
        if _running is not None:
            raise RuntimeError("one service runs in this process already")
        _running = self
        # reports of attempts that were killed: their names have a dot
        for leftover in self._settings.reports.glob("*.*"):
            remove_tree(leftover)
        config = DBOSConfig(
            name="lenswatch",
            system_database_url=self._settings.jobs_url,
            # fixed: an upgrade of lenswatch goes on with the audits of the version before
            application_version="audits-1",
            executor_id="local",
            log_level="WARNING",
        )
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(
            _QUEUE, worker_concurrency=self._settings.parallel_audits, polling_interval_sec=0.5
        )
        self._sweeper.start()

    def stop(self) -> None:
        """End running audits without an outcome: the next start takes them up again."""
        global _running
        self._stopping.set()
        with self._idle:
            self._idle.wait_for(lambda: self._attempts == 0, timeout=10)
        self._sweeper.join(timeout=10)
        DBOS.destroy(workflow_completion_timeout_sec=1)
        _running = None

    def enqueue(self, audit_id: str) -> None:
        """Queue an audit; nothing happens where it is queued already.

        A workflow that ended while its audit did not (the service was stopped, or the database
        was away) is not run again by DBOS: the audit then gets a workflow with the next number.
        """
        with self._enqueuing:
            for number in range(1000):
                workflow_id = f"{audit_id}.{number}"
                status = DBOS.get_workflow_status(workflow_id)
                if status is None:
                    with SetWorkflowID(workflow_id):
                        DBOS.enqueue_workflow(_QUEUE, _audit_workflow, audit_id)
                    return
                if status.status in _ALIVE:
                    return

    def enqueue_or_leave(self, audit_id: str) -> None:
        """Queue an audit that the database knows; where that fails, the sweeper does it later."""
        try:
            self.enqueue(audit_id)
        except Exception as error:  # noqa: BLE001  (accepted is accepted, whatever happened)
            logger.warning("an audit is enqueued later: %s", type(error).__name__)

    def _sweep(self) -> None:
        while True:
            try:
                with self._database.read() as session:
                    unfinished = attempts.unfinished_ids(session)
                for audit_id in unfinished:
                    self.enqueue(audit_id)
            except Exception as error:  # noqa: BLE001  (whatever it is, the next round may work)
                logger.warning("audits not enqueued: %s", type(error).__name__)
            if self._stopping.wait(_SWEEP_SECONDS):
                return

    def run(self, audit_id: str) -> str:
        """One attempt at an audit, to its end; returns the state it ended in."""
        with self._idle:
            self._attempts += 1
        try:
            return self._attempt(audit_id)
        finally:
            with self._idle:
                self._attempts -= 1
                self._idle.notify_all()

    def _attempt(self, audit_id: str) -> str:
        if self._stopping.is_set():
            raise Interrupted
        with self._database.write() as session:
            audit = attempts.begin_attempt(session, audit_id)
            bundle = session.get(Bundle, audit.bundle_id) if audit is not None else None
        if audit is None or bundle is None:
            return "nothing to do"
        if audit.attempt > self._settings.limits.audit_attempts:
            return self._fail(
                audit,
                f"The service was killed {audit.attempt - 1} times under this audit, perhaps by "
                "lack of memory. Give the machine more memory, or audit a smaller bundle.",
            )
        self._metrics.running.inc()
        try:
            with at_hand(self._settings, bundle) as folder:
                return self._supervise(audit, folder)
        except ApiProblem as problem:  # the storage does not give the evidence
            return self._fail(audit, problem.detail)
        finally:
            self._metrics.running.dec()

    def _supervise(self, audit: Audit, bundle: Path) -> str:
        job = Job(
            audit_id=audit.id,
            attempt=audit.attempt,
            bundle=str(bundle),
            packs=tuple(audit.packs),
            reports=str(self._settings.reports),
            database_url=self._settings.sqlalchemy_url,
            threads=self._settings.audit_threads,
            engine=self._settings.engine,
        )
        process = subprocess.Popen(  # our own interpreter and module
            # -P: nothing is imported from the working directory
            [sys.executable, "-P", "-m", "lenswatch_api.audits.worker"],
            cwd=self._settings.spool,
            # evidence is somebody else's: it must not choose whom this machine talks to
            env=os.environ | self._confinement,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # what libraries print while decoding may quote evidence
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        progress = _ProgressReader(process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            process.stdin.flush()  # and stays open: its end tells the worker that we are gone
        deadline = time.monotonic() + self._settings.limits.audit_seconds
        try:
            while True:
                try:
                    code = process.wait(_TICK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    pass
                if self._stopping.is_set():
                    raise Interrupted
                if time.monotonic() > deadline:
                    return self._fail(
                        audit,
                        f"The audit took longer than {self._settings.limits.audit_seconds} "
                        "seconds, the limit here. Raise the limit or audit a smaller bundle.",
                    )
                if not self._report(audit, progress):
                    return self._outcome(audit)
        finally:
            _end(process)
            progress.join()
        if code != 0:
            return self._fail(audit, _explain(code))
        return self._outcome(audit)

    def _report(self, audit: Audit, progress: _ProgressReader) -> bool:
        """Write the newest progress; False where the audit is no longer ours to run."""
        latest = progress.take()
        try:
            if latest is None:
                with self._database.read() as session:
                    return attempts.is_current(session, audit.id, audit.attempt)
            stage, done, total = latest
            with self._database.write() as session:
                return attempts.update_attempt(
                    session, audit.id, audit.attempt, stage=stage, done=done, total=total
                )
        except SQLAlchemyError as error:
            # a database that restarts must not end an audit
            logger.warning("progress not written: %s", type(error).__name__)
            return True

    def _outcome(self, audit: Audit) -> str:
        with self._database.read() as session:
            row = session.get(Audit, audit.id)
        state = row.state if row is not None else "gone"
        if state == State.RUNNING.value and row is not None and row.attempt == audit.attempt:
            return self._fail(audit, "The audit ended without a result. Start it again.")
        self._metrics.audits.labels(state).inc()
        return state

    def _fail(self, audit: Audit, failure: str) -> str:
        with self._database.write() as session:
            attempts.update_attempt(
                session,
                audit.id,
                audit.attempt,
                state=State.FAILED.value,
                failure=failure,
                finished_at=now(),
            )
        self._metrics.audits.labels(State.FAILED.value).inc()
        return State.FAILED.value


class _ProgressReader:
    """Reads the worker's lines as they come and keeps the newest."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._latest: tuple[str, int, int] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="audit-progress", daemon=True)
        self._thread.start()

    def take(self) -> tuple[str, int, int] | None:
        """The newest progress since the last call, or None."""
        with self._lock:
            latest, self._latest = self._latest, None
        return latest

    def join(self) -> None:
        """Wait until the worker's output has ended."""
        self._thread.join(timeout=5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                stage, done, total = json.loads(line)
                latest = (str(stage)[:200], int(done), int(total))
            except (ValueError, TypeError):
                continue  # not one of ours
            with self._lock:
                self._latest = latest


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker, and what it started, if it still runs."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _explain(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "The process of the audit was killed, most likely for lack of memory. Give the "
            "machine more memory, or audit a smaller bundle."
        )
    if code < 0:
        return (
            f"The process of the audit crashed ({signal.Signals(-code).name}): a file in the "
            "evidence breaks one of the decoders. Find it by auditing parts of the bundle."
        )
    return "The process of the audit ended with an error of its own. Start it again."
