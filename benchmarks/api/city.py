"""A data directory with one finished audit of any size, made without an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import text

from lenswatch.evidence.inventory import Inventory
from lenswatch.reports.summary import VERDICTS
from lenswatch_api.database import Database
from lenswatch_api.findings.index import write_index
from lenswatch_api.identifiers import new_id, number_of
from lenswatch_api.keys.service import make_first_key
from lenswatch_api.settings import Settings
from lenswatch_api.tables import Audit, Bundle, Deployment, Tenant
from lenswatch_api.views.map_file import write_map

DISTRICTS = 38


def make_city(settings: Settings, cameras: int, controls: int) -> tuple[str, str, Database]:
    """Key and audit id of a city with ``cameras * controls`` findings."""
    settings.make_directories()
    database = Database(settings.sqlalchemy_url, cache_mebibytes=256)
    database.upgrade()
    key = make_first_key(database)
    assert key is not None
    audit_id = _make_audit(database, cameras * controls)
    if controls:
        _make_findings(database, number_of(audit_id), cameras, controls)
    views = settings.reports / audit_id / "views"
    _make_views(views, cameras)
    with database.read() as session:
        write_index(session, number_of(audit_id), views)
    return key, audit_id, database


def _make_audit(database: Database, findings: int) -> str:
    audit_id, bundle_id, deployment_id = (new_id(kind) for kind in ("aud", "bun", "dep"))
    moment = datetime.now(UTC)
    part = {"low": 50.0, "high": 60.0, "tally": _tally()}
    score = {
        **part,
        "grade": "D",
        "low_without_exceptions": 50.0,
        "by_pack": {"core": part},
        "by_district": {f"district {number:02d}": part for number in range(DISTRICTS)},
        "by_vendor": {},
        "by_model": {},
        "drivers": [],
        "not_applicable": [],
        "outside": 0,
    }
    with database.write() as session:
        tenant = session.query(Tenant).one()
        session.add(
            Deployment(id=deployment_id, tenant_id=tenant.id, name="City", created_at=moment)
        )
        session.flush()
        session.add(
            Bundle(
                id=bundle_id,
                tenant_id=tenant.id,
                deployment_id=deployment_id,
                sha256="0" * 64,
                archive_bytes=0,
                bytes=0,
                files=0,
                created_at=moment,
            )
        )
        session.flush()
        session.add(
            Audit(
                id=audit_id,
                tenant_id=tenant.id,
                deployment_id=deployment_id,
                bundle_id=bundle_id,
                number=number_of(audit_id),
                packs=["core"],
                state="succeeded",
                stage="done",
                created_at=moment,
                started_at=moment,
                finished_at=moment,
                verdict="fail",
                tool="lenswatch",
                bundle_digest="sha256:0",
                findings=findings,
                score=score,
                coverage={},
                problems=[],
                reports=[],
            )
        )
    return audit_id


def _tally() -> dict[str, int]:
    return dict.fromkeys(("passed", "failed", "inconclusive", "excepted", "not_applicable"), 1)


# written by the database itself: five million rows through the driver would take minutes
_FINDINGS = """
{numbers}
INSERT INTO findings (audit, position, control, "check", subject, district, vendor, model, verdict,
  severity_order, confidence, measured, measured_order, limit_value, unit, interval, basis, reason,
  remediation, evidence)
SELECT :audit, n, 'core/control-' || (n / :cameras), 'check-' || (n / :cameras),
  'node:cam-' || substr(CAST(1000000 + n % :cameras AS TEXT), 2), 'district ' || (n % 38),
  'vendor ' || (n % 12), 'model ' || (n % 90),
  CASE WHEN (n * 7919) % 100 < 12 THEN 'fail' WHEN (n * 7919) % 100 < 30 THEN 'inconclusive'
    ELSE 'pass' END,
  (n / :cameras) % 4, 'high', (n * 7919) % 997, -((n * 7919) % 997), 500, 'h',
  CAST('{{"lower": 1.0, "upper": 2.0, "level": 0.95, "method": "exact"}}' AS {json}), 'proven',
  'Recordings are older than the limit allows; the oldest one is named below.',
  'Shorten the retention of this recorder to the limit.',
  CAST('[{{"file": "recordings/store.sqlite", "location": "row 1"}}]' AS {json})
FROM {source}
"""
_DIALECTS = {
    True: {
        "numbers": "WITH RECURSIVE numbers(n) AS "
        "(SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :total)",
        "source": "numbers",
        "json": "TEXT",
    },
    False: {
        "numbers": "",
        "source": "generate_series(CAST(0 AS bigint), :total - 1) AS numbers(n)",
        "json": "JSON",
    },
}


def _make_findings(database: Database, audit: int, cameras: int, controls: int) -> None:
    with database.write() as session:
        session.execute(
            text(_FINDINGS.format(**_DIALECTS[database.is_sqlite])),
            {"audit": audit, "cameras": cameras, "total": cameras * controls},
        )
    if not database.is_sqlite:
        database.analyze("findings")


def _make_views(folder: Path, cameras: int) -> None:
    """Cameras in clusters, as cities have them."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    centres = generator.normal(0, 0.12, (400, 2))
    member = generator.integers(0, len(centres), cameras)
    place = centres[member] + generator.normal(0, 0.012, (cameras, 2))
    inventory = Inventory(
        pa.table(
            {
                "node_id": [f"cam-{number:06d}" for number in range(cameras)],
                "kind": np.full(cameras, "camera"),
                "district": [f"district {number % DISTRICTS:02d}" for number in member.tolist()],
                "lat": 29.56 + place[:, 0],
                "lon": 106.55 + place[:, 1],
            }
        )
    )
    worst = generator.choice(len(VERDICTS), cameras, p=[0.12, 0.18, 0.02, 0.66, 0.02]).astype(
        np.int8
    )
    summary: Any = SimpleNamespace(inventory=inventory, worst_by_node=worst)
    write_map(summary, folder)
