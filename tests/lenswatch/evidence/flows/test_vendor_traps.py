"""What exporters were seen to send and decoders were seen to fail at, rebuilt by hand.

Sources are the public issues of other decoders (logstash-codec-netflow, goflow2, vflow, pmacct,
Filebeat, fluent-plugin-netflow, netflow_parser) and the vendors' field lists; no message here was
sent by a real exporter.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.fuzz.flows.seeds import ipfix, netflow9
from tests.lenswatch.evidence.flows.test_wire_details import (
    Fields,
    a_set,
    read,
    specifiers,
    template,
)

DATA: Fields = [(1, 4), (2, 4)]


@pytest.mark.parametrize("padding", range(8))
@pytest.mark.parametrize("version", [9, 10])
def test_padding_after_templates(tmp_path: Path, version: int, padding: int) -> None:
    """Ixia pads template sets by four bytes and more: up to what the least template takes."""
    sets = a_set(2 if version == 10 else 0, template(256, DATA) + bytes(padding))
    sets += a_set(256, struct.pack(">II", 700, 3))
    table, _, reader = read(tmp_path, (ipfix if version == 10 else netflow9)(sets))
    assert table.octets.tolist() == [700]
    assert not reader.problems


@pytest.mark.parametrize("padding", range(4))
def test_options_templates_with_and_without_padding(tmp_path: Path, padding: int) -> None:
    """Some leave out the padding that RFC 3954 asks for; two templates may share a set."""
    one = struct.pack(">HHHHHHH", 257, 4, 4, 1, 4, 34, 4)
    two = struct.pack(">HHHHHHHHH", 258, 4, 8, 1, 4, 41, 4, 42, 4)
    sets = a_set(1, one + two + bytes(padding))
    sets += a_set(257, struct.pack(">II", 0, 512)) + a_set(258, struct.pack(">III", 0, 5, 6))
    _, records, reader = read(tmp_path, netflow9(sets))
    assert records[0]["samplingInterval"] == 512
    assert (records[1]["exportedMessageTotalCount"], len(records)) == (5, 2)
    assert not reader.problems


def test_options_without_any_scope(tmp_path: Path) -> None:
    """Cisco 2911: no scope at all in an options template of v9."""
    options = struct.pack(">HHHHHHH", 257, 0, 8, 34, 4, 35, 4)
    sets = a_set(1, options + bytes(2)) + a_set(257, struct.pack(">II", 64, 2))
    sets += a_set(0, template(256, DATA)) + a_set(256, struct.pack(">II", 10, 1))
    table, records, _ = read(tmp_path, netflow9(sets))
    assert records[0] == {"samplingInterval": 64, "samplingAlgorithm": 2}
    assert table.sampling.tolist() == [64]


def test_a_table_of_samplers_with_names(tmp_path: Path) -> None:
    """Cisco ASR 9000: samplers by id, their names padded to 32 bytes; records name the sampler."""
    options = struct.pack(">HHHHHHHHHHHHH", 260, 4, 16, 1, 4, 48, 2, 49, 1, 50, 4, 84, 32)
    told = b"".join(
        struct.pack(">IHBI", 0, number, 2, rate) + name.ljust(32, b"\0")
        for number, rate, name in ((1, 1000, b"edge"), (2, 2000, b"core"))
    )
    sets = a_set(1, options + bytes(2)) + a_set(260, told + bytes(2))
    sets += a_set(0, template(256, [(1, 4), (48, 2)]))
    sets += a_set(256, struct.pack(">IHIHIH", 5, 2, 6, 1, 7, 9))
    table, records, _ = read(tmp_path, netflow9(sets))
    assert [record["samplerName"] for record in records[:2]] == ["edge", "core"]
    # the last names a sampler nobody told of: its rate is not known
    assert table.sampling.tolist()[:2] == [2000, 1000]


def test_data_sets_that_are_not_padded(tmp_path: Path) -> None:
    """A v9 set that ends anywhere, and the next one right behind it."""
    sets = a_set(0, template(256, [(1, 4), (4, 1)]) + template(257, [(2, 3)]))
    sets += a_set(256, struct.pack(">IB", 9, 17)) + a_set(257, b"\0\0\x07")
    sets += a_set(256, struct.pack(">IBIB", 8, 6, 7, 1))
    table, _, reader = read(tmp_path, netflow9(sets))
    assert table.octets.tolist() == [9, 0, 8, 7]
    assert table.packets.tolist() == [0, 7, 0, 0]
    assert not reader.problems


def test_enterprise_scopes_and_fields_of_options(tmp_path: Path) -> None:
    """goflow2's first issue: options templates whose specifiers carry an enterprise number."""
    options = struct.pack(">HHH", 300, 3, 1) + specifiers([(880, 1, 6876), (898, 65535, 6876)])
    options += specifiers([(34, 4)])
    sets = a_set(3, options) + a_set(300, b"\x02" + b"\x04obs1" + struct.pack(">I", 32))
    _, records, _ = read(tmp_path, ipfix(sets))
    assert records == [
        {"vmwareTenantProtocol": 2, "vmwareVirtualObsID": "obs1", "samplingInterval": 32}
    ]


def test_overlay_and_tenant_of_virtual_switches(tmp_path: Path) -> None:
    """VMware: outer addresses under IANA's elements, the tenant's under the enterprise's."""
    fields: Fields = [(8, 4), (12, 4), (881, 4, 6876), (882, 4, 6876), (898, 65535, 6876), (1, 8)]
    record = bytes((10, 0, 0, 1, 10, 0, 0, 2, 172, 16, 0, 1, 172, 16, 0, 2)) + b"\0"
    record += struct.pack(">Q", 1234)
    sets = a_set(2, template(300, fields)) + a_set(300, record)
    table, records, _ = read(tmp_path, ipfix(sets))
    assert int(table.source_low[0]) & 0xFFFFFFFF == 0x0A000001
    assert records[0]["vmwareTenantSourceIPv4"] == "172.16.0.1"
    assert records[0]["vmwareVirtualObsID"] == ""
    assert table.octets.tolist() == [1234]


def test_an_overlay_network_number_of_eight_bytes(tmp_path: Path) -> None:
    """Viptela (enterprise 41916) tells the VPN in eight bytes between IANA's elements."""
    fields: Fields = [(4321, 8, 41916), (8, 4), (12, 4), (1, 8)]
    sets = a_set(2, template(300, fields))
    sets += a_set(300, struct.pack(">QIIQ", 7, 0x0A000001, 0x0A000002, 900) * 2)
    table, records, _ = read(tmp_path, ipfix(sets))
    assert [record["viptelaVPNId"] for record in records] == [7, 7]
    assert table.octets.tolist() == [900, 900]


def test_applications_and_users_as_text(tmp_path: Path) -> None:
    """Palo Alto (v9): elements 56701 and 56702 hold text, padded by zeros; it may be empty."""
    fields: Fields = [(1, 8), (56701, 32), (56702, 64), (4, 1)]
    record = struct.pack(">Q", 5) + b"rtsp".ljust(32, b"\0") + bytes(64) + b"\6"
    sets = a_set(0, template(256, fields)) + a_set(256, record)
    table, records, _ = read(tmp_path, netflow9(sets))
    assert (records[0]["PANOS_APPID"], records[0]["PANOS_USERID"]) == ("rtsp", "")
    assert (table.octets[0], table.protocol[0]) == (5, 6)


@pytest.mark.parametrize("version", [9, 10])
def test_an_id_that_turns_from_data_to_options(tmp_path: Path, version: int) -> None:
    """An exporter restarted with other ids: the same number now names an options template."""
    make = ipfix if version == 10 else netflow9
    data = make(a_set(2 if version == 10 else 0, template(256, DATA)))
    data += make(a_set(256, struct.pack(">II", 1, 1)))
    if version == 10:
        options = a_set(3, struct.pack(">HHH", 256, 2, 1) + specifiers([(149, 4), (34, 4)]))
    else:
        options = a_set(1, struct.pack(">HHHHHHH", 256, 4, 4, 1, 4, 34, 4) + bytes(2))
    later = make(options) + make(a_set(256, struct.pack(">II", 0, 100)))
    table, records, reader = read(tmp_path, data, later)
    assert len(table) == 1
    assert records[-1]["samplingInterval"] == 100
    assert reader.exporters[0].options_records == 1


def test_a_template_redefined_between_two_sets_of_one_message(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(1, 4)])) + a_set(300, struct.pack(">I", 1))
    sets += a_set(2, template(300, [(2, 4)])) + a_set(300, struct.pack(">I", 2))
    table, _, _ = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [1, 0]
    assert table.packets.tolist() == [0, 2]


def test_a_firewall_counts_both_directions_in_one_event(tmp_path: Path) -> None:
    """Cisco ASA: what the initiator and the responder sent, and the moment of the event."""
    fields: Fields = [(8, 4), (12, 4), (231, 4), (232, 4), (233, 1), (323, 8)]
    moment = 1_700_000_000_123
    record = struct.pack(">IIIIBQ", 0x0A000001, 0x0A000002, 1000, 50, 2, moment)
    sets = a_set(0, template(265, fields)) + a_set(265, record)
    table, _, _ = read(tmp_path, netflow9(sets))
    assert table.octets.tolist() == [1000]  # the read above keeps biflows whole
    assert table.end_ms.tolist() == [moment]


def test_counters_told_as_delta_and_total_count_once(tmp_path: Path) -> None:
    """Citrix and YAF send both: the delta is what this record adds."""
    fields: Fields = [(85, 8), (1, 8), (86, 8), (2, 8)]
    sets = a_set(2, template(300, fields)) + a_set(300, struct.pack(">QQQQ", 9000, 10, 90, 1))
    table, _, _ = read(tmp_path, ipfix(sets))
    assert (table.octets.tolist(), table.packets.tolist()) == ([10], [1])
