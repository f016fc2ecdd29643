from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from lenswatch.errors import EvidenceUnusable
from lenswatch.evidence.bundle import SCHEMAS, bundle_digest, file_digests, open_bundle, schema
from tests.lenswatch.builders import AS_OF, NODES_CSV, write_bundle


def test_a_plain_bundle(tmp_path: Path) -> None:
    root = write_bundle(tmp_path)
    (root / "video" / "cam-1").mkdir(parents=True)
    (root / "video" / "cam-1" / "b.mp4").write_bytes(b"x")
    (root / "video" / "cam-1" / "a.mp4").write_bytes(b"x")
    (root / "flows" / "router-1").mkdir(parents=True)
    (root / "flows" / "router-1" / "x.pcap").write_bytes(b"x")
    bundle = open_bundle(root)
    assert bundle.problems == ()
    assert bundle.deployment.as_of == AS_OF
    assert bundle.deployment.declared_retention_hours == 72
    assert bundle.deployment.declared_sinks is None
    assert [video.relative for video in bundle.videos] == [
        "video/cam-1/a.mp4",
        "video/cam-1/b.mp4",
    ]
    assert [path.name for path in bundle.flow_files] == ["x.pcap"]


@pytest.mark.parametrize(
    ("deployment", "says"),
    [
        ("name: x\n", "as_of"),
        ("name: x\nas_of: yesterday\n", "deployment.yaml:2"),
        ("name: x\nas_of: 2026-11-24T00:00:00\n", "offset"),
        ("- a\n", "mapping"),
        ("", "empty"),
        ("name: [", "YAML"),
    ],
)
def test_an_unusable_deployment(tmp_path: Path, deployment: str, says: str) -> None:
    with pytest.raises(EvidenceUnusable, match=says):
        open_bundle(write_bundle(tmp_path, deployment=deployment))


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceUnusable, match="no such folder"):
        open_bundle(tmp_path / "nothing")
    root = write_bundle(tmp_path / "b")
    (root / "nodes.csv").unlink()
    with pytest.raises(EvidenceUnusable, match=r"nodes\.csv"):
        open_bundle(root)
    (root / "deployment.yaml").unlink()
    with pytest.raises(EvidenceUnusable, match=r"deployment\.yaml"):
        open_bundle(root)


def test_faults_that_leave_the_rest_usable(tmp_path: Path) -> None:
    root = write_bundle(
        tmp_path / "b",
        deployment=(
            "name: x\nas_of: 2026-11-24T01:00:00+01:00\ndeclared:\n"
            "  retention_hours: -3\n  sinks: [platform, ghost]\nextra: 1\n"
        ),
    )
    (root / "video" / "stranger").mkdir(parents=True)
    (root / "video" / "cam-1").mkdir()
    (root / "video" / "loose.mp4").write_bytes(b"")
    (root / "flows").mkdir()
    (root / "recordings").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("outside")
    (root / "video" / "cam-1" / "link.mp4").symlink_to(secret)
    bundle = open_bundle(root)
    assert bundle.deployment.as_of == AS_OF
    assert bundle.deployment.declared_retention_hours is None
    assert bundle.videos == ()
    told = {(problem.file, problem.line) for problem in bundle.problems}
    assert told >= {
        ("deployment.yaml", 4),
        ("deployment.yaml", None),
        ("video/stranger", None),
        ("video/cam-1", None),
        ("video/cam-1/link.mp4", None),
        ("video/loose.mp4", None),
        ("flows", None),
        ("recordings/index.yaml", None),
    }
    assert all(problem.remedy for problem in bundle.problems)


def test_exceptions_and_a_second_inventory(tmp_path: Path) -> None:
    root = write_bundle(tmp_path)
    shutil.copy(root / "nodes.csv", root / "nodes.parquet")
    with pytest.raises(EvidenceUnusable, match="Parquet"):
        open_bundle(root)
    (root / "nodes.parquet").unlink()
    (root / "exceptions.yaml").write_text(
        "- {control: core/x, subject: deployment, reason: r, approved_by: me, expires: "
        "2027-01-01}\n"
        "- {control: core/y, subject: deployment}\n"
    )
    bundle = open_bundle(root)
    assert [exception.control for exception in bundle.exceptions] == ["core/x"]
    assert {problem.line for problem in bundle.problems} == {2}


def test_the_digest_follows_content_and_not_place(tmp_path: Path) -> None:
    one = write_bundle(tmp_path / "one")
    (one / "recordings").mkdir()
    (one / "recordings" / "a.mp4").write_bytes(b"footage")
    two = tmp_path / "elsewhere" / "two"
    shutil.copytree(one, two)
    digest = bundle_digest(one)
    assert digest == bundle_digest(two)
    assert digest.startswith("sha256:")
    (two / "nodes.csv").write_text(NODES_CSV + "x,camera,,,\n")
    assert bundle_digest(two) != digest
    (one / "recordings" / "a.mp4").write_bytes(b"foot")
    assert bundle_digest(one) != digest


def test_files_inside_a_store_have_no_names_of_their_own(tmp_path: Path) -> None:
    root = write_bundle(tmp_path)
    files = ("s/clips/faces/Ada/1.webp", "s/clips/faces/Ada/note.txt", "s/cam.jpg", "s/frigate.db",
             "index.yaml", "loose.mp4")  # fmt: skip
    for name in files:
        path = root / "recordings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    before = dict(file_digests(root))
    assert list(before) == [
        "deployment.yaml", "nodes.csv", "recordings/index.yaml", "recordings/s/frigate.db",
        "recordings/**", "recordings/s/**",
    ]  # fmt: skip
    note = root / "recordings" / "s" / "clips" / "faces" / "Ada" / "note.txt"
    note.write_bytes(b"y")
    changed = dict(file_digests(root))
    assert {name for name in before if before[name] != changed[name]} == {"recordings/s/**"}
    note.rename(note.with_name("moved.txt"))
    assert dict(file_digests(root))["recordings/s/**"] != changed["recordings/s/**"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
