"""Flow files on several workers: those that share a sender stay together.

A decoder's state (templates, sampling, sequence numbers) belongs to an exporter, and an exporter's
records are added up apart from all others'. So files that no exporter has in common are read apart,
each group in its own order, and the conversations join exactly: of all exporters that saw one, the
greatest sum counts.
"""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows import FlowReader
from lenswatch.evidence.flows.captures import read_batches
from lenswatch.evidence.flows.exporters import Exporter
from lenswatch.evidence.flows.reader import MOST_PROBLEMS_A_FILE
from lenswatch.evidence.flows.sniff import HEAD_BYTES, Kind, kind_of
from lenswatch.measurements.conversations import Conversations, ConversationSums
from lenswatch.model import Problem, sentence
from lenswatch.scaling.evidence import SharedEvidence
from lenswatch_kernels import pcap
from lenswatch_kernels.running_sums import RunningSums

if TYPE_CHECKING:
    from lenswatch.evidence.bundle import Bundle
    from lenswatch.scaling.cluster import Cluster, Progress

_HALF = np.uint64(32)
_PLACE_BITS = np.int64(40)
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class AddedUp:
    """The flow records of some files, added up."""

    conversations: Conversations
    exporters: tuple[Exporter, ...]
    problems: tuple[Problem, ...]
    waiting_sets: int


def add_up_on(
    cluster: Cluster, bundle: Bundle, *, progress: Progress | None = None
) -> AddedUp | None:
    """All flow records of a bundle, as one reader in one process adds them up.

    None where the files cannot be read apart: all in one group, or an exporter in two of them.
    """
    evidence = SharedEvidence.of(bundle)
    numbers = range(len(bundle.flow_files))
    senders = cluster.map(
        _senders_of, [_Files(evidence, (number,)) for number in numbers], stage="exporters",
        progress=progress,
    )  # fmt: skip
    groups = connected(senders)
    if len(groups) < 2:
        return None
    parts = cluster.map(
        _add_up, [_Files(evidence, group) for group in groups], stage="flows", progress=progress
    )
    if _entangled(parts):
        return None
    names = [path.relative_to(bundle.root).as_posix() for path in bundle.flow_files]
    waiting = sum(part.waiting_sets for part in parts)
    return AddedUp(
        join_conversations([part.conversations for part in parts]),
        tuple(exporter for part in parts for exporter in part.exporters),
        _in_order([problem for part in parts for problem in part.problems], names, waiting),
        waiting,
    )


def connected(senders: Sequence[frozenset[str] | None]) -> list[tuple[int, ...]]:
    """Groups of files that share no sender, each in the order of the files; a file whose senders
    are not known (None) shares them with all.
    """
    if None in senders:
        return [tuple(range(len(senders)))]
    leader = list(range(len(senders)))

    def find(file: int) -> int:
        while leader[file] != file:
            file = leader[file]
        return file

    first: dict[str, int] = {}
    for file, found in enumerate(senders):
        for sender in found or ():
            one, other = sorted((find(first.setdefault(sender, file)), find(file)))
            leader[other] = one
    groups: dict[int, list[int]] = defaultdict(list)
    for file in range(len(senders)):
        groups[find(file)].append(file)
    return [tuple(group) for group in groups.values()]


def join_conversations(parts: Sequence[Conversations]) -> Conversations:
    """One table of several that have no exporter in common, in any order; exact.

    All are of one inventory, and their files are numbered alike. O(rows of all parts).
    """
    high = np.concatenate([part.endpoint_high for part in parts])
    low = np.concatenate([part.endpoint_low for part in parts])
    table = RunningSums(greatest=1)
    answers = np.concatenate([part.answers for part in parts])
    entry = table.add(high, low, greatest=(answers,)).astype(np.int64)
    by_address = np.lexsort((table.second, table.first))
    vertex = np.empty(len(by_address), np.int64)
    nodes = parts[0].nodes
    vertex[by_address] = np.arange(len(by_address)) + nodes
    joined = RunningSums(least=2, greatest=7)
    start = 0
    for part in parts:
        stop = start + len(part.endpoint_high)
        places = vertex[entry[start:stop]]
        start = stop
        receiver = part.receiver.astype(np.int64)
        outside = receiver >= nodes
        receiver[outside] = places[receiver[outside] - nodes]
        first = part.first_ms
        joined.add(
            (part.sender.astype(np.uint64) << _HALF) | receiver.astype(np.uint64),
            (part.protocol.astype(np.uint64) << np.uint64(16)) | part.port.astype(np.uint64),
            least=(
                np.where(first < 0, _NEVER, first),
                (part.file.astype(np.int64) << _PLACE_BITS) | part.offset,
            ),
            # sums are whole numbers below 2**53
            greatest=(
                part.octets.astype(np.int64),
                part.packets.astype(np.int64),
                part.active_ms.astype(np.int64),
                part.last_ms,
                part.application,
                part.sampled,
                part.pushed,
            ),
        )
    pair, service = joined.first, joined.second
    order = np.lexsort((service, pair))
    first, place, octets, packets, active, last, application, sampled, pushed = (
        joined.column(number)[order] for number in range(9)
    )
    return Conversations(
        nodes=nodes,
        endpoint_high=table.first[by_address],
        endpoint_low=table.second[by_address],
        answers=table.column(0)[by_address].astype(np.bool_),
        sender=(pair[order] >> _HALF).astype(np.int32),
        receiver=(pair[order] & np.uint64(0xFFFF_FFFF)).astype(np.int32),
        protocol=(service[order] >> np.uint64(16)).astype(np.uint8),
        port=(service[order] & np.uint64(0xFFFF)).astype(np.uint16),
        octets=octets.astype(np.float64),
        packets=packets.astype(np.float64),
        active_ms=active.astype(np.float64),
        first_ms=np.where(first == _NEVER, np.int64(-1), first),
        last_ms=last,
        application=application.astype(np.uint8),
        pushed=pushed.astype(np.bool_),
        sampled=sampled.astype(np.bool_),
        file=(place >> _PLACE_BITS).astype(np.uint32),
        offset=place & ((np.int64(1) << _PLACE_BITS) - 1),
        seen=np.logical_or.reduce([part.seen for part in parts]),
        records=sum(part.records for part in parts),
    )


@dataclass(frozen=True, slots=True)
class _Files:
    evidence: SharedEvidence
    numbers: tuple[int, ...]
    """Positions among the bundle's flow files."""


def _senders_of(part: _Files) -> frozenset[str] | None:
    """Who sent the exports of one file, as text that names no address (``""`` for unknown ones);
    empty for a capture of traffic, which shares nothing with other files.
    """
    (number,) = part.numbers
    path = part.evidence.open().flow_files[number]
    try:
        with path.open("rb") as stream:
            kind = kind_of(stream.read(HEAD_BYTES))
    except OSError:
        return frozenset()
    if kind is Kind.PARQUET:
        return None
    return _senders_in_capture(path) if kind is Kind.CAPTURE else frozenset([""])


def _senders_in_capture(path: Path) -> frozenset[str]:
    # Never closed by hand: a view that outlives the reading would make that an error.
    with path.open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return _senders_in(np.frombuffer(mapped, np.uint8))


def _senders_in(data: NDArray[np.uint8]) -> frozenset[str]:
    found: set[str] = set()
    for batch in read_batches(data, pcap.start_walk(data)):
        rows = np.flatnonzero((batch.exports != 0) | (batch.columns.identification >= 0))
        pairs = np.stack([batch.columns.source_high[rows], batch.columns.source_low[rows]], axis=1)
        found |= {f"{high:x}:{low:x}" for high, low in np.unique(pairs, axis=0).tolist()}
    return frozenset(found)


def _add_up(part: _Files) -> AddedUp:
    bundle = part.evidence.open()
    reader = FlowReader([bundle.flow_files[number] for number in part.numbers], root=bundle.root)
    sums = ConversationSums(bundle.inventory)
    for table in reader:
        sums.add(table)
    flows = sums.result()
    numbers = np.array(part.numbers, np.uint32)
    return AddedUp(
        replace(flows, file=numbers[flows.file]),
        reader.exporters,
        reader.problems,
        reader.waiting_sets,
    )


def _entangled(parts: Sequence[AddedUp]) -> bool:
    """Whether an exporter is in two parts, which only the records tell (agents of sFlow)."""
    keys = [
        (exporter.address, exporter.observation_domain, exporter.protocol)
        for part in parts
        for exporter in part.exporters
        if exporter.protocol != "capture"
    ]
    return len(set(keys)) < len(keys)


def _in_order(problems: list[Problem], names: Sequence[str], waiting: int) -> tuple[Problem, ...]:
    """Problems as one reader tells them: by file, then what was only counted."""
    row_of = {name: row for row, name in enumerate(names)}
    told: list[Problem] = []
    counted: list[Problem] = []
    seen: dict[str, int] = defaultdict(int)
    without_template = None
    for problem in sorted(problems, key=lambda p: row_of.get(p.file, len(names))):
        if problem.file not in row_of:
            without_template = problem
            continue
        seen[problem.file] += 1
        (told if seen[problem.file] <= MOST_PROBLEMS_A_FILE else counted).append(problem)
    if without_template is not None:
        message = sentence("{n} data sets never got their template", n=waiting)
        counted.append(replace(without_template, message=message))
    return (*told, *counted)
