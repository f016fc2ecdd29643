"""Every field of the real exports that come with golden decodes of other tools."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lenswatch.evidence.flows import FlowReader
from lenswatch.evidence.flows.export_state import FullRecord
from lenswatch.evidence.flows.names import iana_name

pytestmark = pytest.mark.shared

SKIP = {"version", "flow_seq_num", "flowset_id", "flow_records", "engine_type", "engine_id"}
GOLDEN_SLIPS = {"reamcore_id_rule_1": "streamcore_id_rule_1"}
"""Names that lost letters in the golden file."""
NOT_OURS = {"netscalerUnknown330"}
"""Names another tool made up for elements it does not know either."""


def full_records(files: list[Path]) -> list[FullRecord]:
    reader = FlowReader(files, root=files[0].parent, all_fields=True, split_biflows=False)
    kept: list[FullRecord] = []
    for _ in reader:
        kept.extend(reader.full_records())
    kept.extend(reader.full_records())
    return kept


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def same(ours: object, golden: Any) -> bool:
    """Equal values, whatever each tool's way to write them."""
    if ours == golden or str(ours).lower() == str(golden).lower():
        return True
    if isinstance(golden, float) and isinstance(ours, float):
        return abs(ours - golden) <= 1e-6 * max(1.0, abs(golden))
    if isinstance(golden, dict) and set(golden) == {"status", "reason"}:
        return bool(ours == golden["status"] << 6 | golden["reason"])
    if isinstance(golden, str) and ".." in golden:
        return str(ours) == golden.replace("..", ":")
    if isinstance(ours, str) and isinstance(golden, str) and "T" in ours and "T" in golden:
        return abs(milliseconds(ours) - milliseconds(golden)) <= 1
    if isinstance(ours, str) and "T" in ours and isinstance(golden, int):
        told = datetime.fromisoformat(ours).timestamp()
        return golden in (round(told), round(told * 1000)) or _ntp(golden, told)
    if isinstance(ours, str) and isinstance(golden, str):
        # opaque bytes: others print them as text, we as hexadecimal
        as_bytes = golden.encode("latin-1", "replace").hex() if golden.isprintable() else ""
        return ours in (golden.rstrip("\0"), as_bytes, golden.replace(":", "").lower())
    return False


def _ntp(value: int, told: float) -> bool:
    return abs((value >> 32) - 2_208_988_800 + (value & 0xFFFFFFFF) / 2**32 - told) < 1e-3


def compare(record: FullRecord, golden: dict[str, Any]) -> list[str]:
    wrong = []
    for name, value in golden.items():
        if name in SKIP and name not in record.fields:
            continue
        if name in NOT_OURS:
            continue
        name = GOLDEN_SLIPS.get(name, name)
        ours = record.fields.get(name, record.fields.get(iana_name(name)))
        if name == "icmp_type" and "icmpTypeIPv4" in record.fields:
            ours = record.fields["icmpTypeIPv4"]
        if name in ("sampling_algorithm", "sampling_interval") and record.version == 5:
            continue  # v5's header, not a field of the record
        if name in ("first_switched", "last_switched"):
            ours_ms = record.start_ms if name == "first_switched" else record.end_ms
            told = milliseconds(value)
            # Logstash does not know that uptimes wrap at 2**32 ms, and is up to two seconds late
            # it should borrow one: v5's header says 08.280 - 0.804 s = 07.476, it says 08.476
            if not any(-1 <= told - ours_ms - wrap <= 2000 for wrap in (0, 2**32)):
                wrong.append(f"{name}: {ours_ms} for {value}")
            continue
        if not same(ours, value):
            wrong.append(f"{name}: {ours!r} for {value!r}")
    return wrong


def contexts() -> list[dict[str, Any]]:
    from tests.conftest import SHARED

    path = SHARED / "data" / "flows" / "netflow_dat" / "golden_logstash.json"
    if not path.is_file():
        return []
    listed: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return listed


@pytest.mark.parametrize("context", contexts(), ids=lambda item: str(item["name"])[:60])
def test_golden_context(shared_data: Path, context: dict[str, Any]) -> None:
    folder = shared_data / "flows" / "netflow_dat"
    records = full_records([folder / name for name in context["files"]])
    expected = context["expected_count"]
    if expected is not None:
        # some payload files hold several messages of which Logstash reads the first: we read all
        assert len(records) >= expected
        if not context["files"][0].startswith(("netflow5.dat", "ipfix.dat")):
            assert len(records) == expected
    problems = []
    for event in context["events"]:
        golden = event.get("netflow")
        if golden is None:
            continue
        tries = [compare(record, golden) for record in records]
        best = min(tries, key=len, default=["no record at all"])
        if best:
            problems.append(best)
    assert not problems


def test_uptimes_are_placed_in_utc(shared_data: Path) -> None:
    folder = shared_data / "flows" / "netflow_dat"
    records = full_records([folder / "netflow9_test_softflowd_tpl_data.dat"])
    told = datetime(2015, 10, 8, 19, 3, 46, 140000, tzinfo=UTC).timestamp() * 1000
    assert any(record.start_ms == round(told) for record in records)
