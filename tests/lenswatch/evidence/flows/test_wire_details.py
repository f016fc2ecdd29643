"""The fine print of RFC 7011, RFC 3954 and RFC 6313, in messages built by hand.

Real exporters use every corner of it; these messages do not come from any of them.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenswatch.evidence.flows import FlowReader, FlowTable, concatenate
from lenswatch.evidence.flows.export_state import FullRecord
from tests.fuzz.flows.seeds import EXPORT, ipfix, netflow9

Fields = list[tuple[int, ...]]
NTP_EPOCH = 2_208_988_800


def a_set(identifier: int, body: bytes) -> bytes:
    return struct.pack(">HH", identifier, 4 + len(body)) + body


def specifiers(fields: Fields) -> bytes:
    """(element, length), or (element, length, enterprise) with the enterprise bit set."""
    return b"".join(
        struct.pack(">HH", *field)
        if len(field) == 2
        else struct.pack(">HHI", field[0] | 0x8000, *field[1:])
        for field in fields
    )


def template(identifier: int, fields: Fields) -> bytes:
    return struct.pack(">HH", identifier, len(fields)) + specifiers(fields)


def read(folder: Path, *messages: bytes) -> tuple[FlowTable, list[dict[str, Any]], FlowReader]:
    """Flow table, every field of every record, and the reader, of messages in a raw file."""
    path = folder / "raw"
    path.write_bytes(b"".join(messages))
    reader = FlowReader([path], root=folder, all_fields=True, split_biflows=False)
    kept: list[FullRecord] = []
    tables = []
    for table in reader:
        tables.append(table)
        kept.extend(reader.full_records())
    kept.extend(reader.full_records())
    return concatenate(tables), [record.fields for record in kept], reader


@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_padding_shorter_than_a_record_is_no_record(tmp_path: Path, padding: int) -> None:
    sets = a_set(2, template(300, [(1, 4), (4, 1)]) + bytes(padding))
    sets += a_set(300, struct.pack(">IBIB", 10, 6, 20, 17) + bytes(padding))
    table, records, reader = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [10, 20]
    assert len(records) == 2
    assert not reader.problems


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 700])
def test_both_forms_of_a_variable_length(tmp_path: Path, size: int) -> None:
    text = b"x" * size
    long = struct.pack(">BH", 255, size) + text
    forms = [long] if size > 254 else [bytes([size]) + text, long]
    sets = a_set(2, template(300, [(82, 65535), (1, 4)]))
    sets += a_set(
        300, b"".join(form + struct.pack(">I", 7 + row) for row, form in enumerate(forms))
    )
    table, records, _ = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [7 + row for row in range(len(forms))]
    assert [record["interfaceName"] for record in records] == ["x" * size] * len(forms)


def test_a_variable_length_past_the_end_of_its_set_is_a_cut(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(1, 4), (82, 65535)]))
    sets += a_set(300, struct.pack(">I", 7) + b"\3abc" + struct.pack(">I", 8) + b"\xff\xff\xffabc")
    table, records, reader = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [7]
    assert len(records) == 1
    assert len(reader.problems) == 1


def test_fields_of_no_length_take_no_room(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(8, 0), (1, 4), (82, 0), (2, 4)]))
    sets += a_set(300, struct.pack(">IIII", 1, 2, 3, 4))
    table, records, _ = read(tmp_path, ipfix(sets))
    assert (table.octets.tolist(), table.packets.tolist()) == ([1, 3], [2, 4])
    assert all(set(record) == {"octetDeltaCount", "packetDeltaCount"} for record in records)


def test_a_template_of_nothing_but_empty_fields_does_not_hang(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(8, 0), (1, 0)])) + a_set(300, bytes(40))
    table, records, _ = read(tmp_path, ipfix(sets))
    assert len(table) == 0
    assert records == []


@pytest.mark.parametrize("version", [9, 10])
def test_several_templates_in_one_set(tmp_path: Path, version: int) -> None:
    both = template(300, [(1, 4)]) + template(301, [(2, 4), (1, 2)]) + bytes(2)
    sets = a_set(2 if version == 10 else 0, both)
    sets += a_set(301, struct.pack(">IH", 5, 6)) + a_set(300, struct.pack(">I", 7))
    table, _, _ = read(tmp_path, (ipfix if version == 10 else netflow9)(sets))
    assert table.octets.tolist() == [6, 7]
    assert table.packets.tolist() == [5, 0]


@pytest.mark.parametrize("width", [0, 1, 2, 3, 4, 8])
def test_scopes_of_any_width(tmp_path: Path, width: int) -> None:
    """v9 counts the bytes of its scope and option specifiers; scopes may be empty."""
    options = struct.pack(">HHH", 400, 4, 8) + struct.pack(">HHHHHH", 2, width, 34, 4, 35, 1)
    scope = (9).to_bytes(width, "big") if width else b""
    sets = a_set(1, options + bytes(2)) + a_set(400, scope + struct.pack(">IB", 128, 2))
    sets += a_set(0, template(300, [(1, 4), (10, 4)]))
    sets += a_set(300, struct.pack(">IIII", 1000, 9, 500, 8))
    table, records, _ = read(tmp_path, netflow9(sets))
    # of one interface where the scope names it, of the whole domain where it does not
    assert table.sampling.tolist() == ([128, 0] if width else [128, 128])
    assert records[0]["samplingInterval"] == 128


def test_options_of_several_scopes(tmp_path: Path) -> None:
    options = struct.pack(">HHH", 400, 4, 2) + specifiers([(149, 4), (302, 8), (305, 4), (306, 4)])
    sets = a_set(3, options) + a_set(400, struct.pack(">IQII", 1, 77, 1, 99))
    sets += a_set(2, template(300, [(1, 4), (302, 2)])) + a_set(300, struct.pack(">IH", 10, 77))
    table, _, reader = read(tmp_path, ipfix(sets))
    assert table.sampling.tolist() == [100]
    assert reader.exporters[0].sampling_by_sampler == {77: 100}


def test_withdrawal_of_all_templates_leaves_options_templates(tmp_path: Path) -> None:
    options = struct.pack(">HHH", 400, 2, 1) + specifiers([(149, 4), (34, 4)])
    sets = a_set(2, template(300, [(1, 4)]) + template(301, [(2, 4)])) + a_set(3, options)
    sets += a_set(2, struct.pack(">HH", 2, 0))
    sets += a_set(300, struct.pack(">I", 1)) + a_set(400, struct.pack(">II", 1, 10))
    table, records, reader = read(tmp_path, ipfix(sets))
    assert len(table) == 0
    assert reader.waiting_sets == 1
    assert [record["samplingInterval"] for record in records] == [10]


def test_reduced_sizes(tmp_path: Path) -> None:
    """RFC 7011 section 6.2: integers lose leading bytes, signed ones keep their sign."""
    fields: Fields = [(1, 3), (2, 1), (10, 2), (434, 2), (311, 4), (320, 8), (85, 7)]
    record = (70_000).to_bytes(3, "big") + b"\x09" + struct.pack(">H", 65_000)
    record += struct.pack(">hfd", -2, 0.25, 0.5) + (5).to_bytes(7, "big")
    sets = a_set(2, template(300, fields)) + a_set(300, record)
    table, records, _ = read(tmp_path, ipfix(sets))
    assert (table.octets[0], table.packets[0], table.ingress_interface[0]) == (70_000, 9, 65_000)
    assert records[0]["mibObjectValueInteger"] == -2
    assert records[0]["samplingProbability"] == 0.25
    assert records[0]["absoluteError"] == 0.5
    assert records[0]["octetTotalCount"] == 5


def test_the_enterprise_bit_is_only_that_of_ipfix(tmp_path: Path) -> None:
    """In v9 an element above 32767 is an element (Cisco ASA's 33000 and on), no enterprise."""
    fields: Fields = [(0x8000 | 1, 4), (1, 4)]
    data = a_set(300, struct.pack(">II", 11, 22))
    table, _, _ = read(tmp_path, netflow9(a_set(0, template(300, fields)) + data))
    assert table.octets.tolist() == [22]
    body = struct.pack(">HHHHIHH", 300, 2, 0x8001, 4, 29305, 1, 4)
    table, records, _ = read(tmp_path, ipfix(a_set(2, body) + data))
    assert table.octets.tolist() == [22]
    assert records[0]["reverseOctetDeltaCount"] == 11


def test_an_enterprise_element_is_not_ianas_of_the_same_number(tmp_path: Path) -> None:
    fields: Fields = [(1, 4, 99999), (8, 4, 2636), (1, 4)]
    sets = a_set(2, template(300, fields)) + a_set(300, struct.pack(">III", 1, 2, 3))
    table, records, _ = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [3]
    assert table.source_low.tolist() == [0]
    assert records[0]["enterprise99999.1"] == 1


def test_the_count_of_v9_says_nothing_about_where_sets_end(tmp_path: Path) -> None:
    """Exporters count records, sets or templates there: lengths of sets decide."""
    sets = a_set(0, template(300, [(1, 4)])) + a_set(300, struct.pack(">III", 1, 2, 3))
    for count in (0, 1, 2, 9, 65535):
        message = struct.pack(">HHIIII", 9, count, 1000, EXPORT, 1, 1) + sets
        table, _, reader = read(tmp_path, message)
        assert table.octets.tolist() == [1, 2, 3]
        assert not reader.problems


def test_data_before_its_template_waits_in_its_own_domain(tmp_path: Path) -> None:
    data = a_set(300, struct.pack(">II", 1, 2))
    here = a_set(2, template(300, [(1, 4), (2, 4)]))
    other = a_set(2, template(300, [(2, 4), (1, 4)]))
    messages = (ipfix(data, 1), ipfix(other, 2), ipfix(data, 2), ipfix(here, 1))
    table, _, reader = read(tmp_path, *messages)
    told = dict(zip(table.observation_domain.tolist(), table.octets.tolist(), strict=True))
    assert told == {1: 1, 2: 2}
    assert reader.waiting_sets == 0


def test_v9_and_ipfix_of_one_sender_share_no_templates(tmp_path: Path) -> None:
    data = a_set(300, struct.pack(">II", 1, 2))
    messages = (
        netflow9(a_set(0, template(300, [(1, 4), (2, 4)]))),
        ipfix(a_set(2, template(300, [(2, 4), (1, 4)]))),
        netflow9(data),
        ipfix(data),
    )
    table, _, _ = read(tmp_path, *messages)
    assert table.octets.tolist() == [1, 2]


@pytest.mark.parametrize("kind", [291, 292, 293])
@pytest.mark.parametrize("long", [False, True])
def test_structured_data_is_skipped_whole(tmp_path: Path, kind: int, long: bool) -> None:
    """RFC 6313: what is inside, records of flows too, is not a flow of this message."""
    inside = struct.pack(">BHH", 255, 1, 4) + struct.pack(">II", 1_000_000, 2_000_000)
    head = struct.pack(">BH", 255, len(inside)) if long else bytes([len(inside)])
    sets = a_set(2, template(300, [(1, 4), (kind, 65535), (2, 4)]))
    sets += a_set(300, (struct.pack(">I", 10) + head + inside + struct.pack(">I", 3)) * 2)
    table, records, _ = read(tmp_path, ipfix(sets))
    assert (table.octets.tolist(), table.packets.tolist()) == ([10, 10], [3, 3])
    if kind == 291:
        assert records[0]["basicList"] == [1_000_000, 2_000_000]


@pytest.mark.parametrize(
    ("start", "end", "one_ms"),
    [(152, 153, 1), (154, 155, None), (156, 157, None)],
    ids=["milliseconds", "microseconds", "nanoseconds"],
)
def test_absolute_times(tmp_path: Path, start: int, end: int, one_ms: int | None) -> None:
    """Micro- and nanoseconds are NTP timestamps: seconds since 1900 and 2**-32 of a second."""

    def told(milliseconds: int) -> int:
        if one_ms:
            return milliseconds
        seconds, rest = divmod(milliseconds, 1000)
        return (seconds + NTP_EPOCH) << 32 | -(-(rest << 32) // 1000)

    begin = EXPORT * 1000 + 250
    sets = a_set(2, template(300, [(start, 8), (end, 8)]))
    sets += a_set(300, struct.pack(">QQ", told(begin), told(begin + 1750)))
    table, records, _ = read(tmp_path, ipfix(sets))
    assert (table.start_ms.tolist(), table.end_ms.tolist()) == ([begin], [begin + 1750])
    assert any("2023-11-14T22:13:20.25" in str(value) for value in records[0].values())


def test_seconds_and_microseconds_before_export(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(150, 4), (151, 4)]) + template(301, [(158, 4), (159, 4)]))
    sets += a_set(300, struct.pack(">II", EXPORT - 5, EXPORT))
    sets += a_set(301, struct.pack(">II", 3_000_000, 1_000))
    table, _, _ = read(tmp_path, ipfix(sets))
    assert (table.start_ms - EXPORT * 1000).tolist() == [-5000, -3000]
    assert (table.end_ms - EXPORT * 1000).tolist() == [0, -1]


def test_uptimes_that_wrapped_between_the_packet_and_the_export(tmp_path: Path) -> None:
    sets = a_set(0, template(300, [(22, 4), (21, 4)]))
    sets += a_set(300, struct.pack(">II", 2**32 - 4000, 1000))
    message = struct.pack(">HHIIII", 9, 2, 6000, EXPORT, 1, 1) + sets
    table, _, _ = read(tmp_path, message)
    assert (table.start_ms - EXPORT * 1000).tolist() == [-10_000]
    assert (table.end_ms - EXPORT * 1000).tolist() == [-5_000]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x03\x00\x00\x50", "3:80"),
        (b"\x0d\x00\x01\x2c", "13:300"),
        (b"\x14\x00\x00\x0d\x86\x00\x05", "20:3462:5"),
        (b"\x01\x06", "1:6"),
    ],
)
def test_application_ids(tmp_path: Path, raw: bytes, text: str) -> None:
    """RFC 6759 section 4: engine, then a selector of the rest; engine 20 names an enterprise."""
    sets = a_set(2, template(300, [(95, len(raw)), (1, 4)]))
    sets += a_set(300, raw + struct.pack(">I", 1))
    _, records, _ = read(tmp_path, ipfix(sets))
    assert records[0]["applicationId"] == text


def test_strings_of_fixed_length_lose_their_padding(tmp_path: Path) -> None:
    sets = a_set(0, template(300, [(82, 12), (1, 4)]))
    sets += a_set(300, b"ge-0/0/1".ljust(12, b"\0") + struct.pack(">I", 1))
    _, records, _ = read(tmp_path, netflow9(sets))
    assert records[0]["interfaceName"] == "ge-0/0/1"


def test_headers_of_a_tunnel_and_the_conversation_in_it(tmp_path: Path) -> None:
    """Two protocols in a template: the outer header's elements, then the inner one's."""
    fields: Fields = [
        (27, 16), (28, 16), (7, 2), (11, 2), (4, 1), (1, 4),
        (8, 4), (12, 4), (7, 2), (11, 2), (4, 1),
    ]  # fmt: skip
    record = bytes([0x20]) + bytes(15) + bytes([0x20]) + bytes(15) + struct.pack(">HHB", 0, 0, 4)
    record += struct.pack(">IIIHHB", 99, 0x0A000001, 0x0A000002, 4000, 554, 6)
    table, _, _ = read(tmp_path, ipfix(a_set(2, template(300, fields)) + a_set(300, record)))
    assert (table.source_low[0], table.source_high[0]) == (0xFFFF_0A00_0001, 0)
    assert (table.destination_port[0], table.protocol[0], table.octets[0]) == (554, 6, 99)


def test_repeated_elements_without_a_tunnel_count_once(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(1, 4), (10, 4), (1, 4)]))
    sets += a_set(300, struct.pack(">III", 5, 1, 6))
    table, records, _ = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [5]
    assert records[0]["octetDeltaCount"] == [5, 6]


@pytest.mark.parametrize("identifier", [0, 1, 4, 100, 255])
def test_reserved_sets_are_passed_over(tmp_path: Path, identifier: int) -> None:
    sets = a_set(2, template(300, [(1, 4)])) + a_set(identifier, b"\1\2\3\4")
    sets += a_set(300, struct.pack(">I", 5))
    table, _, _ = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [5]


def test_counters_of_sixteen_bytes_keep_their_low_half(tmp_path: Path) -> None:
    sets = a_set(2, template(300, [(1, 16)])) + a_set(300, bytes(8) + struct.pack(">Q", 2**63))
    table, _, _ = read(tmp_path, ipfix(sets))
    assert table.octets.tolist() == [2**63]
    assert table.octets.dtype == np.uint64
