"""Other tools' names of information elements, for whoever compares decoders.

Cisco's NetFlow v9 names (RFC 3954 section 8, lower case) are what Logstash, Elastic and many
collectors print; `iana_name` turns one into the IANA name under which `decode --all-fields` has
it. A v9 name that depends on the version of the protocol has its v9 meaning.
"""

from __future__ import annotations

from lenswatch.evidence.flows.elements import element

CISCO_V9: dict[str, int] = {
    "in_bytes": 1, "in_pkts": 2, "flows": 3, "protocol": 4, "src_tos": 5, "tcp_flags": 6,
    "l4_src_port": 7, "ipv4_src_addr": 8, "src_mask": 9, "input_snmp": 10, "l4_dst_port": 11,
    "ipv4_dst_addr": 12, "dst_mask": 13, "output_snmp": 14, "ipv4_next_hop": 15, "src_as": 16,
    "dst_as": 17, "bgp_ipv4_next_hop": 18, "mul_dst_pkts": 19, "mul_dst_bytes": 20,
    "last_switched": 21, "first_switched": 22, "out_bytes": 23, "out_pkts": 24,
    "min_pkt_lngth": 25, "min_pkt_length": 25, "max_pkt_lngth": 26, "max_pkt_length": 26,
    "ipv6_src_addr": 27, "ipv6_dst_addr": 28, "ipv6_src_mask": 29, "ipv6_dst_mask": 30,
    "ipv6_flow_label": 31, "icmp_type": 32, "mul_igmp_type": 33, "sampling_interval": 34,
    "sampling_algorithm": 35, "flow_active_timeout": 36, "flow_inactive_timeout": 37,
    "engine_type": 38, "engine_id": 39, "total_bytes_exp": 40, "total_pkts_exp": 41,
    "total_flows_exp": 42, "ipv4_src_prefix": 44, "ipv4_dst_prefix": 45,
    "mpls_top_label_type": 46, "mpls_top_label_ip_addr": 47, "flow_sampler_id": 48,
    "flow_sampler_mode": 49, "flow_sampler_random_interval": 50, "min_ttl": 52, "max_ttl": 53,
    "ipv4_ident": 54, "dst_tos": 55, "in_src_mac": 56, "out_dst_mac": 57, "src_vlan": 58,
    "dst_vlan": 59, "ip_protocol_version": 60, "direction": 61, "ipv6_next_hop": 62,
    "bgp_ipv6_next_hop": 63, "ipv6_option_headers": 64, "in_dst_mac": 80, "out_src_mac": 81,
    "if_name": 82, "if_desc": 83, "sampler_name": 84, "in_permanent_bytes": 85,
    "in_permanent_pkts": 86, "fragment_offset": 88, "forwarding_status": 89,
    "mpls_pal_rd": 90, "mpls_prefix_len": 91, "src_traffic_index": 92, "dst_traffic_index": 93,
    "application_description": 94, "application_id": 95, "application_name": 96,
    "flow_end_reason": 136, "conn_id": 148, "flow_start_msec": 152, "icmp_code": 177,
    "icmp_type_ipv6": 178, "icmp_code_ipv6": 179, "udp_src_port": 180, "udp_dst_port": 181,
    "tcp_src_port": 182, "tcp_dst_port": 183, "ip_tos": 194, "ip_dscp": 195,
    "mpls_label_stack_octets": 201, "xlate_src_addr_ipv4": 225, "xlate_dst_addr_ipv4": 226,
    "xlate_src_port": 227, "xlate_dst_port": 228, "fwd_flow_delta_bytes": 231,
    "rev_flow_delta_bytes": 232, "fw_event": 233, "xlate_src_addr_ipv6": 281,
    "xlate_dst_addr_ipv6": 282, "event_time_msec": 323, "streamcore_wan_rtt": 8192,
    "streamcore_net_app_resp_time": 8193, "streamcore_total_app_resp_time": 8194,
    "streamcore_tcp_retrans_rate": 8195, "streamcore_call_direction": 8196,
    "streamcore_hostname": 8256, "streamcore_url": 8257, "streamcore_ssl_cn": 8258,
    "streamcore_ssl_org": 8259, "streamcore_mos_lq": 8320, "streamcore_net_delay": 8321,
    "streamcore_net_loss": 8322, "streamcore_net_jitter": 8323, "streamcore_net_discard": 8324,
    "streamcore_rtp_clockrate_in": 8325, "streamcore_rtp_clockrate_out": 8326,
    "streamcore_codec_in": 8327, "streamcore_codec_out": 8328, "streamcore_id_rule_1": 8384,
    "streamcore_id_rule_2": 8385, "streamcore_id_rule_3": 8386, "streamcore_id_rule_4": 8387,
    "streamcore_id_rule_5": 8388, "streamcore_id_rule_6": 8389, "streamcore_id_rule_7": 8390,
    "streamcore_id_rule_8": 8391, "streamcore_id_rule_9": 8392, "streamcore_id_rule_10": 8393,
    "ingress_acl_id": 33000, "egress_acl_id": 33001, "fw_ext_event": 33002, "username": 40000,
    "app_id": 56701, "user_id": 56702, "nprobe_proto": 57590, "nprobe_proto_name": 57591,
}  # fmt: skip
"""Cisco's v9 names and those Logstash adds, by element id."""

_SCOPES = {
    "scope_system": "scopeSystem", "scope_interface": "scopeInterface",
    "scope_line_card": "scopeLineCard", "scope_netflow_cache": "scopeCache",
    "scope_template": "scopeTemplate",
}  # fmt: skip


def iana_name(name: str) -> str:
    """The IANA name of an element given by a v9 name; the name itself where it is none."""
    lower = name.lower()
    if lower in _SCOPES:
        return _SCOPES[lower]
    identifier = CISCO_V9.get(lower)
    return element(0, identifier).name if identifier is not None else name
