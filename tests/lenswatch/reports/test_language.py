"""Every text of the reports, the checks and the rules is in every catalogue, with its places."""

from __future__ import annotations

import ast
import copy
import os
import pickle
import re
from collections.abc import Iterator
from gettext import NullTranslations
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from lenswatch.evidence.bundle import schema
from lenswatch.evidence.recordings.artefacts import Hold, Kind
from lenswatch.measurements.capability import LEVELS_2014, LEVELS_2025
from lenswatch.measurements.masks import MaskState
from lenswatch.model import Sentence, counted, joined, sentence
from lenswatch.policy import load_packs, shipped_packs
from lenswatch.reports import write_reports
from lenswatch.reports.language import Language, languages, load_language
from tests.lenswatch.reports import factories

FOLDER = Path(str(files("lenswatch.reports")))
PLACE = re.compile(r"%\(\w+\)s|\{\w+(?::[^{}]*)?\}")


def texts() -> set[str]:
    """Every translatable text, the singular of those that have a plural."""
    found = extract_from_dir(
        FOLDER,
        [("**.py", "python"), ("**.j2", "jinja2")],
        {"**.j2": {"extensions": "jinja2.ext.i18n"}},
    )
    return {
        message if isinstance(message, str) else message[0]
        for _, _, message, *_ in found
        if message
    }


def texts_of_rules() -> set[str]:
    """What the shipped packs say."""
    words: set[str] = set()
    for pack in load_packs(shipped_packs()):
        words |= {pack.title, pack.description}
        for control in pack.controls:
            words |= {control.title, control.remediation, control.unit}
    return words


SAID = {"sentence": 0, "counted": 0, "joined": 1, "SinkSetting": 0, "Interval": 3}
"""Callee, and which of its arguments a report says."""
OF_TABLES = {"copy", "email", "move", "replicate", "{first} {second}"}
"""Said too, and no plain arguments in the code."""


def texts_of_findings() -> set[str]:
    """Sentences of checks and measurements, and the words they put into them: kinds, remarks,
    units, methods. Babel's own extraction loses the outer of two calls.
    """
    words = {kind.words for kind in Kind} | {hold.words for hold in Hold if hold} | OF_TABLES
    words |= {level for level, _ in (*LEVELS_2014, *LEVELS_2025)}
    words |= {state.value for state in MaskState}
    for path in FOLDER.parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            words |= {unit.partition(" (")[0] for unit in constants(named.get("unit"))}
            words |= constants(named.get("note"))
            callee = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
            if callee in SAID:
                words |= constants(*call.args[SAID[callee] : SAID[callee] + 1])
    return words


PROBLEM = {"Problem", "Fault", "EvidenceError", "NotFlows", "ContainerTimes"} | {
    "problem", "_problem", "fault", "_fault", "add", "add_rows", "_unreadable", "bad_line"
}  # fmt: skip
"""Callees that are given the text of a problem, or its remedy."""
TEXT = {"message", "remedy", "words", "what", "fault", "faults"}
"""Names that hold one on its way there."""
TABLES = {"_REMEDIES", "_BREAKS", "_TYPE_WORDS"}
SHORT = {
    "missing",
    "empty",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "nothing",
}
OF_THE_SYSTEM = {os.strerror(number) for number in (1, 2, 5, 13, 21)} | {"I/O error", "too large"}
"""Why a file cannot be opened, as far as it can happen; other reasons stay in English."""
NO_AUDIT = {"captures.py", "stimuli.py", "collector.py", "frames_json.py"}
"""Readers of other commands: their texts stand in no report."""


def sources_of_problems() -> list[Path]:
    root = FOLDER.parent
    found = [*root.glob("evidence/**/*.py"), *root.glob("measurements/*.py")]
    found += [*root.glob("scoring/*.py"), root / "policy/exceptions.py", root / "documents.py"]
    return [path for path in found if path.name not in NO_AUDIT and "detectors" not in path.parts]


def said_of_problems(node: ast.AST) -> list[ast.expr]:
    """Expressions that are the text of a problem."""
    if isinstance(node, ast.Call):
        callee = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
        named = [keyword.value for keyword in node.keywords if keyword.arg in TEXT]
        return [*node.args, *named] if callee in PROBLEM else []
    if isinstance(node, ast.Assign):
        names = {n.id for target in node.targets for n in ast.walk(target) if hasattr(n, "id")}
        return [node.value] if names & (TEXT | TABLES) else []
    return [node.value] if isinstance(node, ast.Yield) and node.value is not None else []


def texts_of_problems() -> set[str]:
    """What an audit says of faulty evidence, and the hints of the schemas of hand-written files."""
    words = SHORT | OF_THE_SYSTEM
    for path in [*sources_of_problems(), FOLDER.parent / "audit.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for value in said_of_problems(node):
                words |= {text for text in constants(value) if " " in text}
    for name in ("deployment", "plan", "recordings"):
        words |= set(hints(schema(name)))
    return words


def hints(rule: object) -> Iterator[str]:
    if isinstance(rule, dict):
        if isinstance(rule.get("description"), str):
            yield rule["description"]
        rule = list(rule.values())
    if isinstance(rule, list):
        for inner in rule:
            yield from hints(inner)


def test_no_problem_is_put_together_out_of_sight_of_the_catalogue() -> None:
    """An f-string has its values in it already: it can be said in one language only."""
    loose = [
        f"{path.name}:{value.lineno}"
        for path in sources_of_problems()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for value in said_of_problems(node)
        if put_together(value)
    ]
    assert loose == []


def put_together(value: ast.expr) -> bool:
    """Whether a text, or a part of it, is an f-string with words in it."""
    if isinstance(value, ast.JoinedStr):
        return any(isinstance(v, ast.Constant) and " " in str(v.value) for v in value.values)
    if isinstance(value, ast.Tuple | ast.BinOp | ast.IfExp):
        inner = (part for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr))
        return any(put_together(part) for part in inner)
    return False


def constants(value: ast.expr | None = None) -> set[str]:
    """The text that an argument is, both where a condition chooses, all of a table."""
    if isinstance(value, ast.IfExp):
        return constants(value.body) | constants(value.orelse)
    if isinstance(value, ast.BoolOp):
        return constants(value.values[-1])
    if isinstance(value, ast.Subscript):
        return constants(value.value)
    if isinstance(value, ast.Tuple | ast.List | ast.Dict):
        inner = value.values if isinstance(value, ast.Dict) else value.elts
        return {text for part in inner for text in constants(part)}
    return (
        {value.value} if isinstance(value, ast.Constant) and isinstance(value.value, str) else set()
    )


def forms(message: Message) -> list[str]:
    """The translation, one form or several."""
    string = message.string
    return [string] if isinstance(string, str) else list(string or ())


def catalogue(code: str) -> dict[str, Message]:
    with FOLDER.joinpath("locale", f"{code}.po").open("rb") as stream:
        content = read_po(stream)
    return {(m.id if isinstance(m.id, str) else m.id[0]): m for m in content if m.id}


TRANSLATED = [code for code in languages() if code != "en"]


def test_there_is_a_second_language() -> None:
    assert "zh-Hans" in TRANSLATED


@pytest.mark.parametrize("code", TRANSLATED)
def test_catalogue_is_complete(code: str) -> None:
    messages = catalogue(code)
    wanted = (texts() | texts_of_rules() | texts_of_findings() | texts_of_problems()) - {
        "",
        "hours",
        "share",
    }
    assert sorted(wanted - set(messages)) == [], f"translate these in locale/{code}.po"
    assert sorted(set(messages) - wanted) == [], f"nothing says these: {code}.po"
    assert [key for key, message in messages.items() if not all(forms(message))] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_placeholders_survive_translation(code: str) -> None:
    for key, message in catalogue(code).items():
        said = message.id if isinstance(message.id, str) else " ".join(message.id)
        for string in forms(message):
            assert set(PLACE.findall(string)) == set(PLACE.findall(said)), key


@pytest.mark.parametrize("code", TRANSLATED)
def test_reports_in_another_language(code: str, tmp_path: Path) -> None:
    write_reports(factories.city(), tmp_path, language=code)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f'<html lang="{code}">' in page
    words = load_language(code)
    for text in ("What must change", "What could not be checked", "could not be checked"):
        assert words.gettext(text) in page
        assert f">{text}<" not in page
    # the canonical result is the same in every language
    write_reports(factories.city(), tmp_path / "en")
    for name in ("findings.json", "findings.csv", "junit.xml", "oscal.json"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "en" / name).read_bytes()


@pytest.mark.parametrize("code", languages())
def test_a_sentence_is_told_with_its_values(code: str) -> None:
    language = load_language(code)
    store = sentence("Store {store}", store="cam {x}")
    made = sentence("{share:.1%} of {what}", share=0.25, what=joined([store, "", "b"], "{first}!"))
    assert isinstance(made, Sentence)
    assert made == "25.0% of Store cam {x}!"
    assert language.gettext(made) == made  # no catalogue knows it
    assert language.gettext(counted("{count} face", "{count} faces", 2)) == "2 faces"
    assert language.gettext(sentence("as {it} is")) == "as {it} is"


def test_a_sentence_survives_being_copied() -> None:
    made = counted("{count} face", "{count} faces", 1)
    for copied in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert (copied, copied.template, copied.values) == (made, made.template, {"count": 1})


def test_a_sentence_in_chinese() -> None:
    kind, age = sentence("face crop"), sentence("{hours:.1f} h", hours=7.25)
    oldest = sentence(
        "The oldest {kind}, in store {store}, is {age} old.", kind=kind, store="face crop", age=age
    )
    told = joined([oldest, sentence("The store {store} could not be read whole.", store="a")])
    assert load_language("zh-Hans").gettext(told) == (
        "最旧的人脸截图在存储 face crop 中，已保存 7.2 小时。存储 a 未能完整读取。"
    )


def test_separators_are_those_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenswatch.reports.language._catalogue", lambda _: NullTranslations())
    made = sentence("{share:.1%} of {s:,.1f} s to port {port}", share=0.125, s=1234.5, port=32100)
    assert Language("de").gettext(made) == "12,5\u00a0% of 1.234,5 s to port 32100"


def test_chinese_numbers_and_days() -> None:
    words = load_language("zh-Hans")
    assert words.quantity(720.0, "hours") == "720\u00a0h (30 天)"
    assert words.date(factories.AS_OF.date()) == "2026年3月2日"
    assert words.gettext("") == ""
