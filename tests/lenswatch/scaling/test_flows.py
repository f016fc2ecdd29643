"""Flow files read apart join to what one reader finds in all of them."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from lenswatch.evidence.bundle import Bundle, open_bundle
from lenswatch.evidence.flows import FlowReader
from lenswatch.evidence.flows.exporters import Exporter
from lenswatch.measurements.conversations import Conversations, ConversationSums
from lenswatch.model import Problem, sentence
from lenswatch.scaling.evidence import SharedEvidence
from lenswatch.scaling.flows import (
    AddedUp,
    _add_up,
    _entangled,
    _Files,
    _in_order,
    _senders_of,
    connected,
    join_conversations,
)
from lenswatch_sim import simulate


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("flows")
    changes = {"video.seconds": 1, "routing.covert_relay": True}
    simulate("small-city", cameras=6, seed=2, out=out, changes=changes)
    for path in sorted((out / "bundle/flows").glob("*.pcap"))[:2]:
        path.write_bytes(path.read_bytes()[:-7])
    (out / "bundle/flows/zzz.bin").write_bytes(b"garbage" * 99)
    return open_bundle(out / "bundle")


def same(one: Conversations, other: Conversations) -> None:
    for field in dataclasses.fields(Conversations):
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name
        )


def test_groups_join_to_the_whole_in_any_order(bundle: Bundle) -> None:
    reader = FlowReader(bundle.flow_files, root=bundle.root)
    sums = ConversationSums(bundle.inventory)
    for table in reader:
        sums.add(table)
    whole = sums.result()
    assert len(whole.octets) > 10
    evidence = SharedEvidence.of(bundle)
    senders = [_senders_of(_Files(evidence, (k,))) for k in range(len(bundle.flow_files))]
    groups = connected(senders)
    assert len(groups) > 2
    parts = [_add_up(_Files(evidence, group)) for group in groups]
    for seed in range(3):
        random.Random(seed).shuffle(parts)
        same(join_conversations([part.conversations for part in parts]), whole)
    assert not _entangled(parts)
    told = sorted(
        (e for part in parts for e in part.exporters), key=lambda e: (e.address, e.records)
    )
    assert told == sorted(reader.exporters, key=lambda e: (e.address, e.records))
    names = [path.relative_to(bundle.root).as_posix() for path in bundle.flow_files]
    problems = [problem for part in parts for problem in part.problems]
    assert _in_order(problems, names, reader.waiting_sets) == reader.problems
    assert len(problems) >= 3


def test_files_of_one_sender_stay_together() -> None:
    none: frozenset[str] = frozenset()
    a, b, ab, c = (frozenset(text) for text in ("a", "b", "ab", "c"))
    assert connected([a, b, none, c, a]) == [(0, 4), (1,), (2,), (3,)]
    assert connected([c, a, b, ab]) == [(0,), (1, 2, 3)]
    assert connected([a, None, b]) == [(0, 1, 2)]
    assert connected([]) == []


def test_an_exporter_in_two_parts_is_noticed(bundle: Bundle) -> None:
    evidence = SharedEvidence.of(bundle)
    part = _add_up(_Files(evidence, (0,)))
    agent = Exporter("192.0.2.1", 0, "sflow")
    twice = [dataclasses.replace(part, exporters=(agent,)) for _ in range(2)]
    assert _entangled(twice)
    assert not _entangled(twice[:1])


def test_what_was_only_counted_comes_last() -> None:
    def problem(file: str, message: str) -> Problem:
        return Problem(file, message, "", part="flows")

    b = [problem("b", str(k)) for k in range(21)]
    missing = [
        problem("flows", sentence("{n} data sets never got their template", n=n)) for n in (1, 2)
    ]
    told = _in_order([*b, missing[0], problem("a", "x"), missing[1]], ["a", "b", "c"], 3)
    assert told[0].file == "a"
    assert [p.message for p in told[1:-1]] == [str(k) for k in range(21)]
    assert told[-1].message == "3 data sets never got their template"


def test_a_file_that_is_gone_shares_nothing(bundle: Bundle, tmp_path: Path) -> None:
    assert isinstance(_add_up(_Files(SharedEvidence.of(bundle), (0,))), AddedUp)
    table = tmp_path / "x.parquet"
    table.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    moved = dataclasses.replace(bundle, flow_files=(table, tmp_path / "gone"))

    class Opened:
        def open(self) -> Bundle:
            return moved

    assert _senders_of(_Files(Opened(), (0,))) is None  # type: ignore[arg-type]
    assert _senders_of(_Files(Opened(), (1,))) == frozenset()  # type: ignore[arg-type]
