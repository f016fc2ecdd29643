"""What happens to packs that people write, and mis-write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenswatch.errors import PolicyError
from lenswatch.policy import load_packs
from lenswatch.policy.loading import inspect_pack

HEAD = """\
schema_version: 1
id: ours
title: Ours
version: "1.0.0"
description: For a test.
"""

CONTROL = """\
controls:
  - id: kept-short
    title: Kept short
    check: retention-over-limit
    force: default
    source: a test
    basis: read
    remediation: Delete.
    max: 48
    unit: hours
"""


def write(folder: Path, text: str, name: str = "ours.yaml") -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def test_a_pack_of_ones_own(tmp_path: Path) -> None:
    (pack,) = load_packs([write(tmp_path, HEAD + CONTROL)])
    (control,) = pack.controls
    assert control.id == "ours/kept-short"
    assert control.max == 48.0
    assert control.weight == 1.0
    assert control.severity == "medium"
    assert control.subjects == "cameras"


def test_the_digest_is_over_content_not_layout(tmp_path: Path) -> None:
    (plain,) = load_packs([write(tmp_path, HEAD + CONTROL)])
    other = "# a comment\n" + CONTROL.replace("48", "48.0") + HEAD
    (shuffled,) = load_packs([write(tmp_path, other, "other.yaml")])
    (changed,) = load_packs([write(tmp_path, HEAD + CONTROL.replace("48", "47"), "c.yaml")])
    assert shuffled.digest == plain.digest
    assert changed.digest != plain.digest


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("max: 48", "mxa: 48", 7, "did you mean max"),
        ("max: 48", "max: soon", 14, "controls.0.max"),
        ("max: 48", "max: .nan", 14, "finite"),
        ("max: 48", "max: .inf", 14, "finite"),
        ("max: 48", "max: 48\n    min: 50", 15, "min is above max"),
        ("    unit: hours\n", "", 7, "limit without a unit"),
        ("force: default", "force: rumour", 10, "law, guidance, standard, default"),
        ("basis: read", "basis: read\n    weight: 0", 13, "exclusiveMinimum is 0"),
        ("basis: read", "basis: read\n    weight: -1", 13, "exclusiveMinimum is 0"),
        ("basis: read", "basis: read\n    effective_from: '2026-02-30'", 13, "no such day"),
        ("basis: read", "basis: read\n    effective_from: 2026-02-30", 13, "cannot be read"),
        ("id: kept-short", "id: Kept Short", 7, "small letters"),
        ('version: "1.0.0"', "version: 1.0", 4, "version"),
        ("schema_version: 1", "schema_version: 2", 1, "1, the version of this schema"),
        ("    title: Kept short\n", "    title: a\n    title: b\n", 9, "stands twice"),
        (CONTROL, "", 1, "no controls"),
        ("id: ours", "id: core", 2, "ships with lenswatch"),
        (CONTROL, "extends: [coer]\n", 6, "did you mean core"),
        (CONTROL, "extends: [ours.yaml]\n", 6, "break the circle"),
        (CONTROL, "extends: [gone.yaml]\n", 6, "no such file"),
        (CONTROL, "extends: [core]\ndrop: [nothing]\n", 7, "drops"),
        (CONTROL, "extends: [core]\nchange: [{id: nothing, weight: 2}]\n", 7, "not taken over"),
        (CONTROL, "extends: [uk-scc, core]\n", 6, "two of the packs"),
        (CONTROL, CONTROL + "  - *a\n", 16, "not valid YAML"),
    ],
)
def test_faults_name_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    text = HEAD + CONTROL
    assert old in text
    with pytest.raises(PolicyError) as caught:
        load_packs([write(tmp_path, text.replace(old, new, 1))])
    assert f"ours.yaml:{line}:" in str(caught.value)
    assert words in str(caught.value)


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    with pytest.raises(PolicyError, match="aliases"):
        load_packs([write(tmp_path, HEAD + bomb)])


def test_a_pack_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="UTF-8"):
        load_packs([str(path)])


def test_the_same_id_twice(tmp_path: Path) -> None:
    one = write(tmp_path, HEAD + CONTROL)
    two = write(tmp_path, HEAD + CONTROL, "two.yaml")
    with pytest.raises(PolicyError, match="already in this audit"):
        load_packs([one, two])
    with pytest.raises(PolicyError, match="already in this audit"):
        load_packs(["core", "core"])


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(PolicyError, match="did you mean eu-edpb"):
        load_packs(["eu-edbp"])
    with pytest.raises(PolicyError, match="no such file"):
        load_packs(["./none.yaml"])


def test_many_faults_are_counted(tmp_path: Path) -> None:
    controls = "controls:\n" + "".join(f"  - id: x{n}\n" for n in range(9))
    with pytest.raises(PolicyError, match=r"and 4 more; `lenswatch policy lint`"):
        load_packs([write(tmp_path, HEAD + controls)])
    pack, faults = inspect_pack(tmp_path / "ours.yaml")
    assert pack is None
    assert len(faults) == 9


def test_composition(tmp_path: Path) -> None:
    text = (
        HEAD
        + """\
extends: [core]
drop: [route-central]
change:
  - id: retention-over-limit
    limit_from: null
    max: 24
"""
        + CONTROL
    )
    (pack,) = load_packs([write(tmp_path, text)])
    names = [control.id for control in pack.controls]
    assert "ours/route-central" not in names
    assert names[-1] == "ours/kept-short"
    changed = next(c for c in pack.controls if c.id == "ours/retention-over-limit")
    assert (changed.max, changed.limit_from, changed.unit) == (24.0, None, "hours")


def test_a_wrong_base_is_named_with_its_place(tmp_path: Path) -> None:
    write(
        tmp_path, (HEAD + CONTROL).replace("id: ours", "id: base").replace("48", "x"), "base.yaml"
    )
    with pytest.raises(PolicyError) as caught:
        load_packs([write(tmp_path, HEAD + "extends: [base.yaml]\n")])
    assert "ours.yaml:6: the pack base.yaml is wrong at base.yaml:14" in str(caught.value)


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, HEAD + CONTROL)

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PolicyError, match="cannot be read"):
        load_packs([path])
