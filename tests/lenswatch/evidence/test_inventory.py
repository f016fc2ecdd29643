from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch.errors import EvidenceUnusable
from lenswatch.evidence.address_column import plain_ipv4, text_buffers
from lenswatch.evidence.inventory_reader import MOST_PROBLEMS, read_inventory
from lenswatch.model import Problem
from lenswatch_kernels.address_text import parse_address_column


def read(tmp_path: Path, text: str | bytes) -> tuple[object, tuple[Problem, ...]]:
    path = tmp_path / "nodes.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_inventory(path, name="nodes.csv")


HEADER = "node_id,kind,lat,declared_masked,addresses,declared_upstream\n"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("b,camera,91,,,", "lat is out of range"),
        ("b,camera,north,,,", "lat is not a number"),
        ("b,camera,nan,,,", "lat is out of range"),
        ("b,camera,1,maybe,,", "declared_masked is neither"),
        ("b,camera,1,,10.0.0.999,", "no IP address"),
        ("b,camera,1,,,nowhere", "names no node"),
        ("b,webcam,1,,,", "none of the known kinds"),
        ("a,camera,1,,,", "earlier line"),
        (",camera,1,,,", "node_id is empty"),
        ("b/c,camera,1,,,", "slash"),
        ("b,camera,1", "3 cells where the header has 6"),
        ('b,"cam', "cells where"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_the_rest_stands(
    tmp_path: Path, row: str, says: str
) -> None:
    inventory, problems = read(tmp_path, f"{HEADER}a,camera,2,true,10.0.0.1,\n{row}\n")
    assert inventory.node_id[0] == "a"
    assert inventory.lat[0] == 2
    assert inventory.declared_masked[0] == 1
    matching = [problem for problem in problems if says in problem.message]
    assert matching, problems
    assert matching[0].line == 3
    assert matching[0].file == "nodes.csv"
    assert matching[0].remedy


def test_a_good_file_has_no_problems(tmp_path: Path) -> None:
    inventory, problems = read(
        tmp_path, f"\ufeff{HEADER}a,camera,,,,b\nb,sink,1.5,no,10.0.0.0/8;fe80::1,\n"
    )
    assert problems == ()
    assert len(inventory) == 2
    assert inventory.cameras.tolist() == [0]
    assert np.isnan(inventory.lat[0])
    assert inventory.declared_masked.tolist()[1] == 0
    assert inventory.address_ranges.row.tolist() == [1, 1]
    assert inventory.row_of("b") == 1
    assert inventory.row_of("c") is None
    assert inventory.vendor is None
    assert inventory.value("kind", 1) == "sink"
    assert inventory.value("lat", 0) is None
    assert inventory.value("vendor", 0) is None
    codes, names = inventory.codes("declared_upstream")
    assert codes.tolist() == [1, -1] or names[codes[0]] == "b"
    assert inventory.codes("vendor") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b"node_id,kind\n", "no node below"),
        (b"nodeid,kind\na,camera\n", "did you mean node_id"),
        (b"node_id;kind\na;camera\n", "separated by commas"),
        (b"node_id,kind,kind\na,camera,camera\n", "twice"),
        (b"\xff\xfen\x00", "UTF-8"),
        (b"node_id,kind\n,camera\n", "no row has a usable"),
    ],
)
def test_what_cannot_be_used_says_what_to_do(tmp_path: Path, text: bytes, says: str) -> None:
    with pytest.raises(EvidenceUnusable, match=says) as caught:
        read(tmp_path, text)
    assert "nodes.csv" in str(caught.value)


def test_unknown_columns_are_noted_and_ignored(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "node_id,kind,latt\na,camera,1\n")
    assert [problem.warning for problem in problems] == [True]
    assert "lat" in problems[0].remedy


def test_a_line_in_another_encoding_is_named(tmp_path: Path) -> None:
    text = b"node_id,kind,district\na,camera,ok\nb,camera,\xd6\xd8\xc7\xec\n"
    inventory, problems = read(tmp_path, text)
    assert len(inventory) == 2
    assert any(problem.line == 3 and "UTF-8" in problem.message for problem in problems)


def test_passwords_in_stream_urls_are_noted_and_never_repeated(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "node_id,kind,stream_url\na,camera,rtsp://u:hunter2@10.0.0.1/x\n")
    assert "password" in problems[0].message
    assert "hunter2" not in repr(problems)


def test_two_nodes_with_one_address_are_noted(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "node_id,kind,addresses\na,camera,10.0.0.1\nb,sink,10.0.0.1\n")
    assert [problem.line for problem in problems] == [3]


def test_thousands_of_faults_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"n{i},camera,999\n" for i in range(1000))
    inventory, problems = read(tmp_path, f"node_id,kind,lat\n{rows}")
    assert len(inventory) == 1000
    assert len(problems) == MOST_PROBLEMS + 1
    assert "950 more" in problems[-1].message


def test_parquet_gives_the_same_inventory(tmp_path: Path) -> None:
    table = pa.table(
        {
            "node_id": ["a", "b"],
            "kind": ["camera", "sink"],
            "lat": pa.array([1, 2], pa.int32()),
            "declared_masked": [True, None],
            "addresses": ["10.0.0.1", None],
            "vendor": pa.array(["X", "Y"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "nodes.parquet")
    inventory, problems = read_inventory(tmp_path / "nodes.parquet", name="nodes.parquet")
    assert problems == ()
    assert inventory.lat.tolist() == [1, 2]
    assert inventory.vendor.tolist() == ["X", "Y"]
    assert inventory.declared_masked[0] == 1
    assert np.isnan(inventory.declared_masked[1])
    assert inventory.address_ranges.row.tolist() == [0]


def test_parquet_faults_name_the_row_or_column(tmp_path: Path) -> None:
    table = pa.table(
        {
            "node_id": ["a", "b"],
            "kind": ["camera", "robot"],
            "lat": ["x", "y"],
            "declared_masked": ["yes", "perhaps"],
        }
    )
    path = tmp_path / "nodes.parquet"
    pq.write_table(table, path)
    inventory, problems = read_inventory(path, name="nodes.parquet")
    assert not inventory.has("lat")
    text = " ".join(problem.message for problem in problems)
    assert "row 1: kind" in text
    assert "column lat has the type string" in text
    assert "row 1: declared_masked" in text
    path.write_bytes(b"PAR1 not parquet")
    with pytest.raises(EvidenceUnusable, match="Parquet"):
        read_inventory(path, name="nodes.parquet")


cell = st.sampled_from(
    ["a", "b", "", "camera", "sink", "10.0.0.1", "::1;x", "true", "1e999", "-1", '"', "\x00", "ü"]
) | st.text(max_size=4)


@given(
    st.lists(
        st.sampled_from(["node_id", "kind", "lat", "addresses", "declared_masked", "zz"]),
        max_size=6,
    ),
    st.lists(st.lists(cell, max_size=7), max_size=6),
    st.binary(max_size=4),
)
@settings(max_examples=300)
def test_no_file_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
    header: list[str],
    rows: list[list[str]],
    tail: bytes,
) -> None:
    text = "\n".join(",".join(cells) for cells in [header, *rows])
    path = tmp_path_factory.mktemp("fuzz") / "nodes.csv"
    path.write_bytes(text.encode() + tail)
    try:
        inventory, _ = read_inventory(path, name="nodes.csv")
    except EvidenceUnusable:
        return
    assert len(set(inventory.node_id)) == len(inventory) > 0


plain_cell = st.one_of(
    st.just(""),
    st.tuples(*[st.integers(0, 255)] * 4).map(lambda parts: ".".join(map(str, parts))),
)
odd_cell = st.text("0123456789.", max_size=16) | st.sampled_from(["256.1.1.1", "1.2.3.04", "::1"])


@given(st.lists(plain_cell, max_size=6), st.lists(odd_cell, max_size=2))
def test_the_quick_way_agrees_with_the_kernel(plain: list[str], odd: list[str]) -> None:
    offsets, text = text_buffers(pa.chunked_array([pa.array(plain + odd, pa.string())]))
    ranges = parse_address_column(offsets, text)
    quick = plain_ipv4(offsets, text)
    if quick is not None:
        assert len(ranges.malformed) == 0
        assert quick.tolist() == (ranges.first_low & np.uint64(0xFFFF_FFFF)).tolist()
        assert np.array_equal(ranges.first_low, ranges.last_low)
    else:
        assert odd  # single dotted quads and empty cells never need the kernel
