"""The reader over logs, Parquet, captures, garbage: each kind, and what goes wrong in it."""

from __future__ import annotations

import json
import struct
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.flows.traffic import as_pcap, build
from lenswatch.evidence.flows import Application, FlowReader, concatenate, deduplicate
from lenswatch.evidence.flows.table import DTYPES, FlowTable, empty
from lenswatch.evidence.flows.writing import FlowWriter, json_lines
from tests.fuzz.flows.seeds import ipfix, netflow5, packet_seeds, sflow

ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t"
    "orig_bytes\tresp_bytes\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"
    "1700000000.5\tC1\t10.0.0.1\t40000\t10.0.0.2\t554\ttcp\trtsp\t2.25\t100\t9000\t5\t300\t9\t9400\n"
    "1700000001.0\tC2\tfe80::1\t546\tff02::2\t547\tudp\t-\t-\t-\t-\t1\t90\t0\t0\n"
    "broken line\n"
    "#close\t2023-11-14-00-00-00\n"
)


def read(path: Path, **options: bool) -> tuple[FlowTable, FlowReader]:
    reader = FlowReader([path], root=path.parent, **options)  # type: ignore[arg-type]
    return concatenate(list(reader)), reader


def test_zeek_conn_log(tmp_path: Path) -> None:
    log = tmp_path / "conn.log"
    log.write_text(ZEEK)
    table, reader = read(log)
    assert table.octets.tolist() == [300, 9400, 90]
    assert table.packets.tolist() == [5, 9, 1]
    assert table.source_port.tolist() == [40000, 554, 546]
    assert table.start_ms.tolist() == [1700000000500, 1700000000500, 1700000001000]
    assert table.end_ms[0] == 1700000002750
    assert table.application.tolist() == [Application.RTSP, Application.RTSP, 0]
    (problem,) = reader.problems
    assert problem.line == 9
    assert "broken" not in problem.message


def test_zeek_json(tmp_path: Path) -> None:
    log = tmp_path / "anything.txt"
    record = {
        "ts": 1700000000.5, "id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "10.0.0.2",
        "id.resp_p": 2, "proto": "udp", "orig_ip_bytes": 10, "orig_pkts": 1,
    }  # fmt: skip
    log.write_text(json.dumps(record) + "\nnot json\n" + json.dumps({**record, "ts": "x"}) + "\n")
    table, reader = read(log)
    assert len(table) == 1
    assert [problem.line for problem in reader.problems] == [2, 3]


def test_parquet_round_trip_keeps_exporters(tmp_path: Path) -> None:
    raw = tmp_path / "v5.dat"
    raw.write_bytes(netflow5(4))
    table, reader = read(raw)
    assert len(table) == 4
    assert table.sampling.tolist() == [100] * 4
    out = tmp_path / "out.parquet"
    with FlowWriter(out) as writer:
        writer.write(table.to_arrow())
        writer.exporters(reader.exporters)
    again, second = read(out)
    for name in DTYPES:
        assert np.array_equal(getattr(again, name), getattr(table, name)), name
    assert [item.protocol for item in second.exporters] == ["netflow5"]
    schema = json.loads(
        files("lenswatch.evidence").joinpath("schemas/flow-table.json").read_text("utf-8")
    )
    assert list(schema["properties"]) == list(DTYPES) == pq.read_schema(out).names
    for row in pq.read_table(out).to_pylist():
        jsonschema.validate(row, schema)
    assert json.loads(next(json_lines(table.to_arrow())))["source_address"] == "10.0.0.1"


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with FlowWriter(tmp_path / "x.parquet") as writer:
            writer.write(empty(1).to_arrow())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())


def test_parquet_of_others(tmp_path: Path) -> None:
    import pyarrow as pa

    pq.write_table(
        pa.table({"src_ip": ["10.0.0.1"], "dst_ip": ["::1"], "bytes": [7], "proto": [17]}),
        tmp_path / "good.parquet",
    )
    table, reader = read(tmp_path / "good.parquet")
    assert not reader.problems
    assert table.octets.tolist() == [7]
    pq.write_table(pa.table({"a": [1]}), tmp_path / "bad.parquet")
    _, reader = read(tmp_path / "bad.parquet")
    assert "source, destination, octets" in reader.problems[0].message


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b\0\0", b"hello world, this is no flow export", b"PAR1garbage", bytes(100),
     b"\0\x09" + b"\xff" * 60, b"\xd4\xc3\xb2\xa1" + b"\xff" * 60,
     b"\x0a\x0d\x0d\x0a" + b"\xff" * 9,
     b"\0\0\0\5\0\0\0\1" + b"\xff" * 50, b"sa,da\n1,2\n", b'{"id.orig_h": 5}\n'],
)  # fmt: skip
def test_garbage_is_a_problem_and_not_an_exception(tmp_path: Path, content: bytes) -> None:
    bad, good = tmp_path / "a", tmp_path / "b"
    bad.write_bytes(content)
    good.write_bytes(netflow5(2))
    reader = FlowReader([bad, good], root=tmp_path)
    table = concatenate(list(reader))
    assert len(table) == 2
    assert any(problem.file == "a" for problem in reader.problems)
    assert all(problem.remedy for problem in reader.problems)


def test_capture_of_exports_tells_exporters_apart(tmp_path: Path) -> None:
    exports = build(10, 5000, exporters=3)
    path = tmp_path / "exports.pcap"
    path.write_bytes(as_pcap(exports))
    table, reader = read(path)
    assert len(table) == exports.records
    assert int(table.octets.sum()) == exports.octets
    assert {item.address for item in reader.exporters} == {"10.9.0.1", "10.9.0.2", "10.9.0.3"}
    assert all(item.sequence_gaps == 0 for item in reader.exporters)
    assert all(item.clock_offset_ms is not None for item in reader.exporters)


@pytest.mark.parametrize("version", [5, 9, 10])
def test_lost_messages_are_counted(tmp_path: Path, version: int) -> None:
    """v5 and IPFIX count records: exact. v9 counts messages: records are bounded from above."""
    exports = build(version, 4000, exporters=1)
    keep = np.ones(len(exports.offset), np.bool_)
    keep[5:8] = False
    data = b"".join(
        exports.buffer[at : at + size].tobytes()
        for at, size in zip(exports.offset[keep], exports.length[keep], strict=True)
    )
    (tmp_path / "raw").write_bytes(data)
    table, reader = read(tmp_path / "raw")
    (exporter,) = reader.exporters
    lost = exports.records - len(table)
    assert exporter.sequence_gaps == 1
    if version == 9:
        assert (exporter.sequence_unit, exporter.lost_units) == ("messages", 3)
        assert lost <= exporter.lost_records < 2 * lost
    else:
        assert (exporter.sequence_unit, exporter.lost_units) == ("records", lost)
        assert exporter.lost_records == lost


def test_templates_that_come_late_and_never(tmp_path: Path) -> None:
    data = struct.pack(">HHII", 300, 12, 1, 2)
    template = struct.pack(">HHHHHHHH", 2, 16, 300, 2, 1, 4, 2, 4)
    (tmp_path / "1").write_bytes(ipfix(data))
    (tmp_path / "2").write_bytes(ipfix(template))
    reader = FlowReader([tmp_path / "1", tmp_path / "2"], root=tmp_path)
    table = concatenate(list(reader))
    assert (table.octets.tolist(), table.packets.tolist()) == ([1], [2])
    assert table.file.tolist() == [0]
    assert reader.waiting_sets == 0
    _, reader = read(tmp_path / "1")
    assert reader.waiting_sets == 1
    assert "template" in reader.problems[-1].message


def test_redefinition_and_withdrawal_apply_to_what_follows(tmp_path: Path) -> None:
    def define(*fields: int) -> bytes:
        body = b"".join(struct.pack(">HH", field, 4) for field in fields)
        return struct.pack(">HHHH", 2, 8 + len(body), 300, len(fields)) + body

    data = struct.pack(">HHII", 300, 12, 1, 2)
    withdraw = struct.pack(">HHHH", 2, 8, 300, 0)
    (tmp_path / "raw").write_bytes(
        ipfix(define(1, 2) + data + define(2, 1) + data) + ipfix(withdraw + data)
    )
    table, reader = read(tmp_path / "raw")
    assert table.octets.tolist() == [1, 2]
    assert reader.waiting_sets == 1


def test_sampling_of_interfaces_and_samplers(tmp_path: Path) -> None:
    options = struct.pack(">HHHHH", 3, 18, 259, 2, 1) + struct.pack(">HHHH", 302, 4, 305, 4)
    told = struct.pack(">HHII", 259, 12, 7, 50)
    template = struct.pack(">HHHHHHHH", 2, 16, 300, 2, 1, 4, 302, 4)
    data = struct.pack(">HHII", 300, 12, 99, 7)
    (tmp_path / "raw").write_bytes(ipfix(options + told + template + data))
    table, reader = read(tmp_path / "raw")
    assert table.sampling.tolist() == [50]
    assert reader.exporters[0].sampling_by_sampler == {7: 50}


def test_biflows_become_two_rows(tmp_path: Path) -> None:
    fields = struct.pack(">HHHHHHI", 1, 4, 7, 2, 0x8001, 4, 29305)
    template = struct.pack(">HHHH", 2, 8 + len(fields), 300, 3) + fields
    data = struct.pack(">HHIHI", 300, 14, 10, 5000, 90000)
    (tmp_path / "raw").write_bytes(ipfix(template + data))
    table, _ = read(tmp_path / "raw")
    assert table.octets.tolist() == [10, 90000]
    assert table.destination_port.tolist() == [0, 5000]
    table, _ = read(tmp_path / "raw", split_biflows=False)
    assert table.octets.tolist() == [10]


def test_sflow_samples_become_records(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(sflow())
    table, reader = read(tmp_path / "raw")
    assert len(table) == 2
    assert set(table.sampling.tolist()) == {512}
    assert set(table.destination_port.tolist()) == {1234}
    assert (table.ingress_interface.tolist(), table.egress_interface.tolist()) == ([3, 3], [4, 4])
    assert reader.exporters[0].address == "10.0.0.9"


def test_traffic_through_tags_and_tunnels(tmp_path: Path) -> None:
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
        struct.pack("<IIII", 1_700_000_000, row, len(frame), len(frame)) + frame
        for row, frame in enumerate(packet_seeds())
    )
    (tmp_path / "t.pcap").write_bytes(capture)
    table, _ = read(tmp_path / "t.pcap")
    inner = table.destination_port == 6000
    assert int(table.packets[inner].sum()) == 8  # every seed carries the same conversation
    assert {Application.ERSPAN, Application.VXLAN, Application.TZSP} <= set(
        table.application[~inner].tolist()
    )


def test_one_flow_seen_by_two_routers_counts_once() -> None:
    table = empty(5)
    columns = {name: getattr(table, name).copy() for name in DTYPES}
    columns["exporter"][:] = [0, 1, 1, 0, 0]
    columns["source_port"][:] = [1, 1, 1, 2, 1]
    columns["start_ms"][:] = [1000, 1500, 4000, 1000, 900_000]
    columns["end_ms"][:] = [5000, 3000, 5500, 2000, 901_000]
    columns["packets"][:] = [10, 4, 5, 3, 1]
    columns["octets"][:] = [1000, 400, 500, 300, 100]
    once, seen = deduplicate(FlowTable(**columns))
    assert once.octets.tolist() == [1000, 300, 100]
    flow = int(seen.flow_of_row[0])
    assert seen.path(flow).tolist() == [0, 1]
    assert seen.path(int(seen.flow_of_row[1])).tolist() == [0]
