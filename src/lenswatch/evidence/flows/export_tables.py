"""From the blocks that the kernels fill to flow tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows import applications
from lenswatch.evidence.flows import templates as layout
from lenswatch.evidence.flows.export_state import Context, Session
from lenswatch.evidence.flows.sampling import header_interval
from lenswatch.evidence.flows.table import FlowTable, concatenate
from lenswatch.evidence.flows.templates import Plan


def as_table(blocks: tuple[Any, ...]) -> FlowTable:
    """The blocks' columns as a table (no copy)."""
    wide, long, short, byte = blocks
    return FlowTable(
        exporter=long[layout.EXPORTER],
        observation_domain=long[layout.DOMAIN],
        start_ms=wide[layout.START].view(np.int64),
        end_ms=wide[layout.END].view(np.int64),
        source_high=wide[layout.SOURCE_HIGH],
        source_low=wide[layout.SOURCE],
        destination_high=wide[layout.DESTINATION_HIGH],
        destination_low=wide[layout.DESTINATION],
        source_port=short[layout.SOURCE_PORT],
        destination_port=short[layout.DESTINATION_PORT],
        protocol=byte[layout.PROTOCOL],
        octets=wide[layout.OCTETS],
        packets=wide[layout.PACKETS],
        sampling=long[layout.SAMPLING],
        tcp_flags=short[layout.TCP_FLAGS],
        ingress_interface=long[layout.INGRESS],
        egress_interface=long[layout.EGRESS],
        direction=byte[layout.DIRECTION],
        application=byte[layout.APPLICATION],
        ssrc=long[layout.SSRC],
        file=long[layout.FILE],
        offset=wide[layout.OFFSET].view(np.int64),
    )


def finish_columns(
    plans: Sequence[Plan],
    sessions: Sequence[Session],
    blocks: tuple[Any, ...],
    set_plan: NDArray[np.int64],
    records: NDArray[np.int64],
    first_row: NDArray[np.int64],
    context: Context,
) -> None:
    """Sampling and applications, which need the session's options or the message's header.

    Only (session, plan) pairs that need it are visited: a flood of sessions costs no more than
    the records it brings.
    """
    long = blocks[1]
    used = np.flatnonzero((records > 0) & (set_plan >= 0))
    if not used.size:
        return
    session_of, plan_of = context.session[used], set_plan[used]
    old = np.array([session.version < 9 for session in sessions], np.bool_)[session_of]
    legacy = used[old & (context.header_sampling[used] & 0x3FFF > 0)]
    if legacy.size:
        rows = _rows(legacy, first_row, records)
        told = header_interval(context.header_sampling[legacy]).astype(np.uint32)
        long[layout.SAMPLING][rows] = np.repeat(told, records[legacy])
    told_by = np.array([session.sampling.told for session in sessions], np.bool_)[session_of]
    sampler = np.array([plan.sampler for plan in plans])[plan_of]
    application = np.array([plan.application for plan in plans])[plan_of]
    need = used[~old & ((application > 0) | (sampler == 2) | (told_by & (sampler == 0)))]
    if not need.size:
        return
    pair = context.session[need] * len(plans) + set_plan[need]
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    for part in np.split(need[order], starts[1:]):
        session = sessions[context.session[part[0]]]
        _finish_pair(session, plans[set_plan[part[0]]], blocks, _rows(part, first_row, records))


def _finish_pair(
    session: Session, plan: Plan, blocks: tuple[Any, ...], rows: NDArray[np.int64]
) -> None:
    """Sampling and application of the records of one plan in one session."""
    wide, long, _, byte = blocks
    if plan.sampler == 2 or (plan.sampler == 0 and session.sampling.told):
        column = long[layout.SAMPLING]
        sampler = column[rows] if plan.sampler == 2 else None
        column[rows] = session.sampling.resolve(sampler, long[layout.INGRESS][rows])
    if plan.application:
        length = next((item.length for item in plan.template.fields if item.id == 95), 4)
        byte[layout.APPLICATION][rows] = applications.resolve(
            wide[layout.APPLICATION_ID][rows], plan.application, session.names, length
        )


def with_reverse(
    plans: Sequence[Plan],
    table: FlowTable,
    blocks: tuple[Any, ...],
    set_plan: NDArray[np.int64],
    records: NDArray[np.int64],
    plan_rows: NDArray[np.int64],
) -> FlowTable:
    """Biflows as two rows: what came back is a flow of its own, source and destination swapped.

    Without this a camera that is pulled from would send nothing: its video is the reverse.
    """
    biflow = np.zeros(len(plans), np.bool_)
    biflow[[row for row in plan_rows if plans[row].biflow]] = True
    if not biflow.any():
        return table
    wide = blocks[0]
    is_biflow = np.repeat(biflow[np.maximum(set_plan, 0)] & (set_plan >= 0), records)
    back = is_biflow & (
        (np.where(is_biflow, wide[layout.REVERSE_OCTETS], 0) > 0)
        | (np.where(is_biflow, wide[layout.REVERSE_PACKETS], 0) > 0)
    )
    rows = np.flatnonzero(back)
    if not rows.size:
        return table
    reverse = table.take(rows)
    swapped = FlowTable(
        **{
            **{name: getattr(reverse, name) for name in FlowTable.__dataclass_fields__},
            "source_high": reverse.destination_high,
            "source_low": reverse.destination_low,
            "destination_high": reverse.source_high,
            "destination_low": reverse.source_low,
            "source_port": reverse.destination_port,
            "destination_port": reverse.source_port,
            "octets": wide[layout.REVERSE_OCTETS][rows],
            "packets": wide[layout.REVERSE_PACKETS][rows],
            "ingress_interface": reverse.egress_interface,
            "egress_interface": reverse.ingress_interface,
        }
    )
    # each reverse row right after its forward row
    order = np.argsort(np.concatenate((np.arange(len(table)) * 2, rows * 2 + 1)), kind="stable")
    return concatenate([table, swapped]).take(order)


def _rows(
    sets: NDArray[np.int64], first_row: NDArray[np.int64], records: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Row numbers of all records of the sets."""
    counts = records[sets]
    starts = np.repeat(first_row[sets] - (np.cumsum(counts) - counts), counts)
    return starts + np.arange(int(counts.sum()))
