"""Real exports and captures against what other tools made of them.

telegraf: every field of every record. pmacct: every flow, its keys, counters and times.
nDPI, ipfixprobe, Zeek and Suricata samples: packets, bytes and what the flows carry.
"""

from __future__ import annotations

import ipaddress
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenswatch.evidence.flows import FlowReader, FlowTable
from lenswatch.evidence.flows.elements import element
from lenswatch.evidence.flows.export_state import FullRecord
from lenswatch.evidence.flows.exporters import address_text
from lenswatch.evidence.flows.table import Application, concatenate

from .test_golden_exports import full_records

pytestmark = pytest.mark.shared

# -- telegraf ------------------------------------------------------------------------------------

NAMES = {
    "src": ("sourceIPv4Address", "sourceIPv6Address"),
    "dst": ("destinationIPv4Address", "destinationIPv6Address"),
    "src_port": ("sourceTransportPort",),
    "dst_port": ("destinationTransportPort",),
    "protocol": ("protocolIdentifier",),
    "in_bytes": ("octetDeltaCount",),
    "in_packets": ("packetDeltaCount",),
    "in_total_bytes": ("octetTotalCount",),
    "in_total_packets": ("packetTotalCount",),
    "out_total_bytes": ("postOctetTotalCount",),
    "flow_start_ms": ("flowStartMilliseconds",),
    "flow_end_ms": ("flowEndMilliseconds",),
    "flow_start": ("flowStartSeconds",),
    "flow_end": ("flowEndSeconds",),
    "first_switched": ("flowStartSysUpTime",),
    "last_switched": ("flowEndSysUpTime",),
    "flow_end_reason": ("flowEndReason",),
    "in_snmp": ("ingressInterface",),
    "out_snmp": ("egressInterface",),
    "src_mask": ("sourceIPv4PrefixLength",),
    "dst_mask": ("destinationIPv4PrefixLength",),
    "next_hop": ("ipNextHopIPv4Address",),
    "src_tos": ("ipClassOfService",),
    "dst_tos": ("postIpClassOfService",),
    "tcp_flags": ("tcpControlBits",),
    "ip_version": ("ipVersion",),
    "vlan_src": ("vlanId",),
    "in_src_mac": ("sourceMacAddress",),
    "out_dst_mac": ("postDestinationMacAddress",),
    "bgp_src_as": ("bgpSourceAsNumber",),
    "bgp_dst_as": ("bgpDestinationAsNumber",),
    "engine_type": ("engineType",),
    "engine_id": ("engineId",),
    "icmp_type": ("icmpTypeIPv4",),
    "icmp_code": ("icmpCodeIPv4",),
    # options records
    "dropped_packets_total": ("droppedPacketTotalCount",),
    "ignored_packet_total": ("ignoredPacketTotalCount",),
    "notsent_packet_total": ("notSentPacketTotalCount",),
    "total_flows_exported": ("exportedFlowRecordTotalCount",),
    "event_time": ("observationTimeSeconds",),
    "exporter": ("exporterIPv4Address",),
    "exporting_pid": ("exportingProcessId",),
    "observation_domain_id": ("observationDomainId",),
    "system_init_ms": ("systemInitTimeMilliseconds",),
    # ntop
    "app_latency_ms": ("APPL_LATENCY_MS",),
    "client_nw_latency_ms": ("CLIENT_NW_LATENCY_MS",),
    "server_nw_latency_ms": ("SERVER_NW_LATENCY_MS",),
    "l7_proto": ("L7_PROTO",),
    "retransmitted_in_bytes": ("RETRANSMITTED_IN_BYTES",),
    "retransmitted_in_pkts": ("RETRANSMITTED_IN_PKTS",),
    "retransmitted_out_bytes": ("RETRANSMITTED_OUT_BYTES",),
    "retransmitted_out_pkts": ("RETRANSMITTED_OUT_PKTS",),
    "ssl_server_name": ("SSL_SERVER_NAME",),
    "ja3c_hash": ("enterprise35632.489", "JA3C_HASH"),
    "ja3s_hash": ("enterprise35632.490", "JA3S_HASH"),
    "ssl_cipher": ("enterprise35632.493", "SSL_CIPHER"),
    "ssl_unsafe_cipher": ("enterprise35632.494", "SSL_UNSAFE_CIPHER"),
    "ssl_version": ("enterprise35632.495", "SSL_VERSION"),
}
"""telegraf's name of a field, IANA's."""
OF_THE_MESSAGE = {"sys_uptime", "seq_number", "flows", "sampling_interval"}
"""Fields that telegraf takes from v5's header."""
PADDING = "padding"
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "igmp": 2}
END_REASONS = {"idle timeout": 1, "active timeout": 2, "end of flow": 3, "forced end": 4}


def line_fields(line: str) -> dict[str, str]:
    """Fields of one line of InfluxDB's line protocol, values as written."""
    _, _, rest = line.partition(" ")
    pattern = re.compile(r'([^,= ]+)=("(?:[^"\\]|\\.)*"|[^, ]+)')
    return {match[1]: match[2] for match in pattern.finditer(rest)}


def golden_lines(folder: Path) -> list[dict[str, str]]:
    text = (folder / "expected.out").read_text("utf-8")
    return [line_fields(line) for line in text.splitlines() if line.startswith("netflow")]


def flag_bits(text: str) -> int:
    """``...AP...``: the bits from CWR down to FIN."""
    return sum(128 >> place for place, letter in enumerate(text) if letter != ".")


def telegraf_name(name: str) -> tuple[str, ...] | None:
    """IANA's or a maker's name of what telegraf calls ``type_<enterprise>_<id>`` or otherwise."""
    made = re.fullmatch(r"type_(\d+)(_rev)?_(\d+)", name)
    if made is not None:
        enterprise, identifier = int(made[1]), int(made[3])
        # in options templates telegraf leaves the enterprise bit in the number
        identifier = identifier & 0x7FFF | (0x4000 if made[2] else 0)
        return (element(enterprise, identifier).name,)
    return NAMES.get(name)


def agrees(golden: str, ours: object, name: str) -> bool:
    """Equal values; text, numbers and octets are written in different ways."""
    text = golden.strip('"')
    if name == "protocol":
        return ours == PROTOCOLS[text]
    if name == "flow_end_reason":
        return ours == END_REASONS[text]
    if name == "ip_version":
        return f"IPv{ours}" == text
    if name == "tcp_flags":
        assert isinstance(ours, int)
        return ours & 255 == flag_bits(text)
    if golden.endswith("u") and golden[:-1].isdigit():
        number = int(golden[:-1])
        if isinstance(ours, str) and "T" in ours:
            told = np.datetime64(ours.rstrip("Z"), "ms").astype(np.int64)
            return number in (int(told), int(told) // 1000)
        return ours == number
    if text.startswith("0x"):
        return int(text, 16) == (int(ours, 16) if isinstance(ours, str) else ours)
    return str(ours).lower() == text.lower()


def told(record: FullRecord, name: str) -> object:
    """What we have for telegraf's name; None where we have nothing."""
    fields = record.fields
    if record.version == 5 and name in ("engine_type", "engine_id"):
        return record.domain >> 8 if name == "engine_type" else record.domain & 255
    both = fields.get("icmpTypeCodeIPv4")
    if name in ("icmp_type", "icmp_code") and isinstance(both, int):
        return both >> 8 if name == "icmp_type" else both & 255
    status = fields.get("forwardingStatus")
    if name in ("fwd_status", "fwd_reason") and isinstance(status, int):
        part = status >> 6 if name == "fwd_status" else status & 63
        return {0: "unknown"}.get(part, part)
    for item in telegraf_name(name) or ():
        if item in fields:
            return fields[item]
    return None


def differences(record: FullRecord, golden: dict[str, str]) -> list[str]:
    wrong = []
    for name, value in golden.items():
        if name == PADDING or (record.version == 5 and name in OF_THE_MESSAGE):
            continue
        ours = told(record, name)
        if ours is None or not agrees(value, ours, name):
            wrong.append(f"{name}: {ours!r} for {value}")
    return wrong


@pytest.mark.parametrize(
    "case",
    [
        "ipfix_example",
        "issue_13305",
        "ipfix_pen_35632",
        "netflow_v5_example",
        "netflow_v9_example",
    ],
)
def test_telegraf(shared_data: Path, case: str) -> None:
    folder = shared_data / "flows" / "telegraf" / case
    records = full_records(sorted(folder.glob("*.bin")))
    golden = golden_lines(folder)
    assert len(records) == len(golden)
    free = list(range(len(records)))
    problems = []
    for line in golden:
        tries = {row: differences(records[row], line) for row in free}
        best = min(free, key=lambda row: len(tries[row]))
        if tries[best]:
            problems.append(tries[best])
        free.remove(best)  # every record answers for one line only
    assert not problems


def test_telegraf_sflow_drop_monitor(shared_data: Path) -> None:
    """A discarded packet is counted at its agent; it is no flow."""
    folder = shared_data / "flows" / "telegraf" / "sflow_issue_15375"
    golden = golden_lines(folder)[0]
    reader = FlowReader(sorted(folder.glob("*.bin")), root=folder)
    assert sum(len(table) for table in reader) == 0
    (agent,) = reader.exporters
    assert agent.address == golden["agent_ip"].strip('"')
    assert f"{agent.observation_domain}u" == golden["agent_subid"]
    assert not reader.problems


@pytest.mark.parametrize("case", ["sflow_v5_example", "sflow_issue_18876"])
def test_telegraf_sflow_counters(shared_data: Path, case: str) -> None:
    """Datagrams of counters alone: their agent is known, no flow is made up."""
    folder = shared_data / "flows" / "telegraf" / case
    golden = golden_lines(folder)[0]
    reader = FlowReader(sorted(folder.glob("*.bin")), root=folder)
    assert sum(len(table) for table in reader) == 0
    (agent,) = reader.exporters
    assert agent.address == golden["agent_ip"].strip('"')
    assert not reader.problems


# -- pmacct --------------------------------------------------------------------------------------

PMACCT = {
    "100-IPFIXv10-CISCO": (("traffic-00.pcap",), "scenario-01/output-flow-00.json"),
    "101-NFv9-CISCO-cust_primitives": (("traffic-00.pcap",), "output-flow-00.json"),
    "102-NFv9-CISCO-f2rd-pretag-sampling-reload": (("traffic-00.pcap",), "output-flow-00.json"),
    "111-IPFIXv10-NFv9-IPv6-IPv4-mix_sources": (
        ("traffic-00.pcap", "traffic-01.pcap"),
        "output-flow-00.json",
    ),
    "500-IPFIXv10-BGP-CISCO-SRv6": (("traffic-00.pcap",), "output-flow-00.json"),
}
FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
PROTOCOL_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 112: "vrrp"}
Key = tuple[Any, ...]


def our_flows(files: list[Path]) -> tuple[Counter[Key], FlowTable]:
    """Packets and octets by what every pmacct output groups by."""
    table = concatenate(list(FlowReader(files, root=files[0].parent)))
    sums: Counter[Key] = Counter()
    for row in range(len(table)):
        protocol = int(table.protocol[row])
        key = (
            address_text(int(table.source_high[row]), int(table.source_low[row])),
            address_text(int(table.destination_high[row]), int(table.destination_low[row])),
            int(table.source_port[row]),
            int(table.destination_port[row]) if protocol not in (1, 58) else 0,
            PROTOCOL_NAMES.get(protocol, str(protocol)),
            int(table.ingress_interface[row]),
            int(table.egress_interface[row]),
            int(table.tcp_flags[row]) & 255,
        )
        sums[(*key, "packets")] += int(table.packets[row])
        sums[(*key, "octets")] += int(table.octets[row])
    return sums, table


def pmacct_flows(path: Path) -> tuple[Counter[Key], list[dict[str, Any]]]:
    sums: Counter[Key] = Counter()
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    for row in rows:
        key = (
            str(ipaddress.ip_address(row["ip_src"])),
            str(ipaddress.ip_address(row["ip_dst"])),
            row["port_src"],
            row["port_dst"] if row["ip_proto"] not in ("icmp", "ipv6-icmp") else 0,
            row["ip_proto"],
            row["iface_in"],
            row["iface_out"],
            sum(1 << FLAG_NAMES.index(flag) for flag in row["tcp_flags"]),
        )
        sums[(*key, "packets")] += row["packets"]
        sums[(*key, "octets")] += row["bytes"]
    return sums, rows


@pytest.mark.parametrize("case", sorted(PMACCT))
def test_pmacct(shared_data: Path, case: str) -> None:
    folder = shared_data / "flows" / "pmacct" / case
    files, output = PMACCT[case]
    ours, table = our_flows([folder / name for name in files])
    golden, rows = pmacct_flows(folder / output)
    assert ours == golden
    # in case 500 pmacct took the time of export for the start: later than the flow's own end
    if not case.startswith("500") and all("timestamp_start" in row for row in rows):
        # pmacct counts uptimes in whole seconds: up to one second late
        golden_s = sorted(int(float(row["timestamp_start"])) for row in rows)
        ours_s = np.sort(table.start_ms // 1000)
        assert len(golden_s) == len(ours_s)
        assert set((np.array(golden_s) - ours_s).tolist()) <= {0, 1}


# -- traffic captures ----------------------------------------------------------------------------


def packets_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """(bytes on the wire, packet) of a classic pcap, read without our reader."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while len(data) - at >= 16:
        inside, wire = struct.unpack_from(f"{order}II", data, at + 8)
        yield wire, data[at + 16 : at + 16 + inside]
        at += 16 + inside


def traffic(path: Path) -> FlowTable:
    return concatenate(list(FlowReader([path], root=path.parent)))


@pytest.mark.parametrize(
    "name", ["mpegts", "rtp", "rtsp", "sip", "stun_dtls_rtp", "tuya_lp", "wa_video", "xiaomi"]
)
def test_ndpi_totals(shared_data: Path, name: str) -> None:
    """nDPI's packets and flows, of every protocol together."""
    folder = shared_data / "flows" / "ndpi"
    (capture,) = (path for path in folder.glob(f"{name}.pcap*") if path.suffix != ".out")
    text = (folder / f"{capture.name}.out").read_text("utf-8")
    found = re.findall(r"^(?:Safe|Acceptable|Fun|Unsafe|Potentially .*|Dangerous|Unrated)"
                       r"\s+(\d+)\s+(\d+)\s+(\d+)", text, re.MULTILINE)  # fmt: skip
    packets, flows = sum(int(row[0]) for row in found), sum(int(row[2]) for row in found)
    table = traffic(capture)
    assert int(table.packets.sum()) == packets
    ends = {
        frozenset(
            (
                (int(table.source_low[row]), int(table.source_port[row])),
                (int(table.destination_low[row]), int(table.destination_port[row])),
            )
        )
        | {int(table.protocol[row])}
        for row in range(len(table))
    }
    assert len(ends) == flows


CARRIES = {
    "ndpi/mpegts.pcap": {Application.MPEGTS},
    "ndpi/rtp.pcapng": {Application.RTP},
    "ndpi/rtsp.pcap": {Application.RTSP},
    "ndpi/sip.pcap": {Application.SIP, Application.RTP, Application.RTCP},
    "ndpi/stun_dtls_rtp.pcapng": {Application.RTP, Application.DTLS},
    "ndpi/wa_video.pcap": {Application.STUN, Application.RTP},
    "ipfixprobe/http.pcap": {Application.HTTP},
    "ipfixprobe/rtsp.pcap": {Application.RTSP},
    "ipfixprobe/sip.pcap": {Application.SIP},
    "ipfixprobe/tls.pcap": {Application.TLS},
    "zeek/sip_wireshark.pcap": {Application.SIP},
    "suricata/sip_method.pcap": {Application.SIP},
}


@pytest.mark.parametrize("name", sorted(CARRIES))
def test_what_flows_carry(shared_data: Path, name: str) -> None:
    found = {Application(value) for value in traffic(shared_data / "flows" / name).application}
    assert CARRIES[name] <= found


@pytest.mark.parametrize(
    ("capture", "golden"),
    [
        ("mixed", "basic"),
        ("http", "http"),
        ("rtsp", "rtsp"),
        ("sip", "sip"),
        ("tls", "tls"),
        ("vlan", "vlan"),
    ],
)
def test_ipfixprobe_totals(shared_data: Path, capture: str, golden: str) -> None:
    """ipfixprobe's bytes, both directions, between each two addresses that it lists."""
    folder = shared_data / "flows" / "ipfixprobe"
    told: Counter[frozenset[str]] = Counter()
    for line in (folder / "golden" / golden).read_text("utf-8").splitlines():
        parts = line.split(",")
        if parts[0] and not parts[0].startswith("ipaddr"):  # the line of names is sorted in
            told[frozenset(parts[:2])] += int(parts[2]) + int(parts[3])
    table = traffic(folder / f"{capture}.pcap")
    ours: Counter[frozenset[str]] = Counter()
    for row in range(len(table)):
        if golden == "sip" and table.application[row] != Application.SIP:
            continue  # the golden decode leaves out what else the two exchange
        ends = frozenset(
            (
                address_text(int(table.source_high[row]), int(table.source_low[row])) or "::",
                address_text(int(table.destination_high[row]), int(table.destination_low[row])),
            )
        )
        ours[ends] += int(table.octets[row])
    assert told
    assert {ends: ours[ends] for ends in told} == dict(told)


@pytest.mark.parametrize(
    "name",
    ["zeek/sip_wireshark.pcap", "suricata/sip_method.pcap", "suricata/netflow_compress_ipv6.pcap"],
)
def test_ip_bytes_like_the_packets_themselves(shared_data: Path, name: str) -> None:
    """Packets and IP bytes against a plain walk over the Ethernet frames."""
    path = shared_data / "flows" / name
    packets = octets = 0
    for _, frame in packets_of(path):
        at = 12
        while frame[at : at + 2] == b"\x81\x00":
            at += 4
        kind = int.from_bytes(frame[at : at + 2], "big")
        if kind == 0x0800:
            packets, octets = packets + 1, octets + int.from_bytes(frame[at + 4 : at + 6], "big")
        elif kind == 0x86DD:
            size = 40 + int.from_bytes(frame[at + 6 : at + 8], "big")
            packets, octets = packets + 1, octets + size
    table = traffic(path)
    assert (int(table.packets.sum()), int(table.octets.sum())) == (packets, octets)
