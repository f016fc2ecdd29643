"""The process that runs one attempt at an audit: ``python -m lenswatch_api.audits.worker``.

The job comes as one line of JSON on standard input; progress goes out as lines of JSON on standard
output. The end of standard input means that the service is gone, and ends the process.

Findings are written in pieces, each in a transaction that first makes sure that this attempt is
still the current one. They can be read only once the audit has succeeded, so half of them are
never seen, and a later attempt begins by removing them.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from lenswatch.errors import LenswatchError
from lenswatch_api.archives import remove_tree
from lenswatch_api.audits import attempts
from lenswatch_api.audits.job import Job
from lenswatch_api.audits.results import (
    delete_findings,
    list_reports,
    plain,
    rows_of,
    write_findings,
)
from lenswatch_api.audits.state import State
from lenswatch_api.database import Database
from lenswatch_api.findings.index import write_index
from lenswatch_api.identifiers import now, number_of
from lenswatch_api.views.build import FOLDER, write_views

if TYPE_CHECKING:
    from lenswatch.result import AuditResult

_ROWS_AT_ONCE = 10_000


class Superseded(Exception):
    """The audit was cancelled, or another attempt runs."""


def main() -> int:
    """Run the job on standard input; exit code 0 means that the outcome is in the database."""
    _no_core_dump()
    job = Job(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    report = _progress_to(os.dup(1))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries that print must not disturb
    # seven indexes grow at once: with a small cache each row costs several reads
    database = Database(job.database_url, cache_mebibytes=256)
    try:
        run(job, database, report)
    except Superseded:
        return 0
    return 0


def run(job: Job, database: Database, report: Callable[[str, int, int], None]) -> None:
    """One attempt, from evidence to rows; every outcome but a crash is written down."""
    out = Path(job.reports) / f"{job.audit_id}.{job.attempt}"
    remove_tree(out)
    out.mkdir(mode=0o700, parents=True)
    try:
        result = _engine(job.engine)(
            Path(job.bundle),
            packs=tuple(job.packs),
            out=out,
            progress=report,
            threads=job.threads,
        )
        _store(job, database, result, out, report)
    except Superseded:
        remove_tree(out)
        raise
    except LenswatchError as error:
        remove_tree(out)
        _fail(job, database, str(error).replace(f"{job.bundle}/", "").replace(job.bundle, "bundle"))
    except MemoryError:
        remove_tree(out)
        _fail(job, database, "The audit ran out of memory. Audit a smaller bundle.")
    except Exception as error:  # noqa: BLE001  (its text may quote evidence: type and place only)
        remove_tree(out)
        _fail(
            job,
            database,
            f"The audit met an error of its own ({type(error).__name__} in {_place(error)}). "
            "Please report it; the other bundles are not affected.",
        )


def _engine(path: str) -> Callable[..., AuditResult]:
    module, _, name = path.partition(":")
    function: Callable[..., AuditResult] = getattr(importlib.import_module(module), name)
    return function


def _store(
    job: Job,
    database: Database,
    result: AuditResult,
    out: Path,
    report: Callable[[str, int, int], None],
) -> None:
    total = len(result.findings)
    with database.write() as session:
        _check_current(session, job)
        delete_findings(session, job.audit_id)
    for start in range(0, total, _ROWS_AT_ONCE):
        report("storing findings", start, total)
        rows = rows_of(result, job.audit_id, start, start + _ROWS_AT_ONCE)
        with database.write() as session:
            _check_current(session, job)
            write_findings(session, rows)
    report("preparing the pages", 0, 0)
    write_views(result, out / FOLDER)
    with database.read() as session:
        write_index(session, number_of(job.audit_id), out / FOLDER)
    final = Path(job.reports) / job.audit_id
    remove_tree(final)
    out.replace(final)
    with database.write() as session:
        if not attempts.update_attempt(
            session,
            job.audit_id,
            job.attempt,
            state=State.SUCCEEDED.value,
            stage="done",
            done=total,
            total=total,
            finished_at=now(),
            verdict=result.verdict.value,
            tool=result.tool,
            bundle_digest=result.bundle_digest,
            findings=total,
            score=plain(result.score),
            coverage=plain(result.coverage),
            problems=[plain(problem) for problem in result.measurements.problems],
            reports=list_reports(final),
        ):
            raise Superseded


def _check_current(session: Session, job: Job) -> None:
    if not attempts.hold_attempt(session, job.audit_id, job.attempt):
        raise Superseded


def _fail(job: Job, database: Database, failure: str) -> None:
    with database.write() as session:
        attempts.update_attempt(
            session,
            job.audit_id,
            job.attempt,
            state=State.FAILED.value,
            failure=failure,
            finished_at=now(),
        )


def _place(error: BaseException) -> str:
    place = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "?")
        if str(module).startswith("lenswatch"):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _progress_to(descriptor: int) -> Callable[[str, int, int], None]:
    def report(stage: str, done: int, total: int) -> None:
        line = json.dumps([stage, done, total]).encode() + b"\n"
        os.write(descriptor, line)

    return report


def _end_with_the_service() -> None:
    sys.stdin.read()
    os._exit(75)


def _no_core_dump() -> None:
    """A core file would hold decoded frames."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
