"""Pages that are made from the program itself, so that they cannot be out of date.

``conf.py`` writes them below ``docs/_build/generated`` before each build; the pages of the site
include them. Run ``python docs/_generate.py FOLDER`` to look at them without a build.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any


def write_all(folder: Path) -> None:
    """Write every generated part into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "cli.md": "\n".join(command_line()),
        "deployment.md": schema_table(_schema("lenswatch.evidence", "schemas/deployment.json")),
        "nodes.md": schema_table(_schema("lenswatch.evidence", "schemas/nodes.json")),
        "exceptions.md": schema_table(
            _schema("lenswatch.evidence", "schemas/exceptions.json")["items"]
        ),
        "plan.md": schema_table(_schema("lenswatch.evidence", "schemas/plan.json")),
        "stores.md": schema_table(
            _schema("lenswatch.evidence.recordings", "index.json")["properties"]["stores"]["items"]
        ),
        "device.md": schema_table(_schema("lenswatch.harness", "device.schema.json")),
        "device-declared.md": schema_table(
            _schema("lenswatch.harness", "device.schema.json")["properties"]["declared"]
        ),
        "suite.md": schema_table(_schema("lenswatch.suites", "suite.schema.json")),
        "tool.md": schema_table(_schema("lenswatch.suites", "tool.schema.json")),
        "suite-parameters.md": "\n".join(suite_parameters()),
        "faults.md": "\n".join(faults()),
        **_findings(),
        "packs.md": "\n".join(packs()),
        "subjects.md": subjects(Path(__file__).parent),
    }
    for name, text in parts.items():
        path = folder / name
        text = text.rstrip() + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


ELSEWHERE = ("index", "glossary", "cli", "contributing", "changelog")
"""Pages that have their own place in the table of contents."""
FIRST = (
    "method",
    "bundle",
    "findings",
    "faces",
    "recorders",
    "flows",
    "policy",
    "packs",
    "scoring",
)


def subjects(docs: Path) -> str:
    """Table of contents of all pages on how things work: the main ones first, then the others."""
    pages = {path.stem for path in docs.glob("*.md")} - set(ELSEWHERE)
    ordered = [page for page in FIRST if page in pages] + sorted(pages - set(FIRST))
    return "\n".join(["```{toctree}", ":hidden:", ":caption: How it works", "", *ordered, "```"])


def command_line() -> Iterator[str]:
    """The page on every command, from the same help texts that ``--help`` prints."""
    from typer.main import get_command

    from lenswatch.cli import app

    yield from _command(get_command(app), ("lenswatch",))


def _command(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    yield f"{'#' * min(len(path) + 1, 4)} {' '.join(path)}\n"
    yield _prose(command.help or "") + "\n"
    commands = getattr(command, "commands", None)
    if commands:
        yield "| Command | Does |\n|---|---|"
        for name, inner in commands.items():
            if not inner.hidden:
                anchor = "-".join((*path, name))
                first = (inner.help or "").strip().split("\n\n")[0].replace("\n", " ")
                yield f"| [`{' '.join((*path, name))}`](#{anchor}) | {_cell(first)} |"
        yield ""
    parameters = [p for p in command.params if p.name not in ("help", "version")]
    parameters = [p for p in parameters if "completion" not in (p.name or "")]
    if parameters:
        yield "| Argument or option | Meaning |\n|---|---|"
        for parameter in parameters:
            yield f"| {_names(parameter)} | {_meaning(parameter)} |"
        yield ""
    for name, inner in (commands or {}).items():
        if not inner.hidden:
            yield from _command(inner, (*path, name))


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or (parameter.name or '').upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _meaning(parameter: Any) -> str:
    text = _cell(getattr(parameter, "help", None) or "")
    default = parameter.default
    if parameter.required:
        return f"{text} Required.".strip()
    if default is None or callable(default) or default in (False, "", (), []):
        return text
    return f"{text} Default: `{default}`.".strip()


def _prose(text: str) -> str:
    """Help text as Markdown: an example line becomes code."""
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    lines = []
    for paragraph in paragraphs:
        example = re.match(r"(?:(Examples?): )?(lenswatch .*)", paragraph)
        if example:
            word = f"{example[1]}:\n\n" if example[1] else ""
            lines.append(f"{word}```console\n$ {example[2]}\n```")
        else:
            lines.append(_plain(paragraph))
    return "\n\n".join(lines)


def _plain(text: str) -> str:
    """Markdown that shows angle brackets and stars as they are; code stays code."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([<>*\[\]])", r"\\\1", piece)
        for piece in pieces
    )


def _cell(text: str) -> str:
    return _plain(" ".join(text.split())).replace("|", "\\|")


def _schema(package: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        files(package).joinpath(*name.split("/")).read_text("utf-8")
    )
    return content


def schema_table(schema: Mapping[str, Any], prefix: str = "") -> str:
    """The properties of a JSON schema as a table."""
    rows = ["| Name | Kind | Required | Meaning |", "|---|---|---|---|"]
    rows += _rows(schema, prefix)
    return "\n".join(rows)


def _rows(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, rule in schema.get("properties", {}).items():
        full = f"{prefix}{name}"
        needed = "yes" if name in required else ""
        yield f"| `{full}` | {_kind(rule)} | {needed} | {_cell(_limits(rule))} |"
        if "properties" in rule:
            yield from _rows(rule, f"{full}.")


def _kind(rule: Mapping[str, Any]) -> str:
    if "enum" in rule:
        return "one of " + ", ".join(f"`{value}`" for value in rule["enum"])
    if "const" in rule:
        return f"`{rule['const']}`"
    if "$ref" in rule:
        return str(rule["$ref"].rsplit("/", 1)[-1])
    kind = rule.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _limits(rule: Mapping[str, Any]) -> str:
    parts = [str(rule["description"])] if "description" in rule else []
    signs = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    parts += [f"{sign} {rule[key]}" for key, sign in signs.items() if key in rule]
    return "; ".join(parts)


def _findings() -> dict[str, str]:
    schema = _schema("lenswatch.reports", "findings.schema.json")
    definitions = schema["$defs"]
    return {
        "findings.md": schema_table({**schema, "properties": _flat(schema["properties"])}),
        "finding.md": schema_table(definitions["finding"]),
    }


def suite_parameters() -> Iterator[str]:
    """What a case of each task may set."""
    import importlib

    from lenswatch.suites.making import TASKS

    yield "| Task | Parameter | Without it |\n|---|---|---|"
    for task, module in TASKS.items():
        maker: Any = importlib.import_module(f"lenswatch.suites.making.{module}")
        for name, value in maker.PARAMETERS.items():
            yield f"| `{task}` | `{name}` | `{json.dumps(value)}` |"


def faults() -> Iterator[str]:
    """The layers of damage, level by level."""
    from lenswatch.suites.making.faults import LAYERS, LEVELS

    yield "| Layer | " + " | ".join(f"Level {level}" for level in LEVELS) + " |"
    yield "|---|" + "---|" * len(LEVELS)
    for name, values in LAYERS.items():
        yield f"| `{name}` | " + " | ".join(f"{value:g}" for value in values) + " |"


def _flat(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Top level only: the parts have their own schemas."""
    return {
        name: {key: value for key, value in rule.items() if key != "properties"}
        for name, rule in properties.items()
    }


def packs() -> Iterator[str]:
    """Every pack that comes with the program, with all of its controls."""
    from lenswatch.policy import load_packs, shipped_packs

    loaded = {name: load_packs([name]) for name in sorted(shipped_packs())}
    for name, found in loaded.items():
        pack = next(pack for pack in found if pack.id == name)
        yield f"## {_plain(pack.title)}\n"
        yield f"`{pack.id}`, version {pack.version}. {_cell(pack.description)}\n"
        yield "| Control | Asks | Limit | Force | Source |\n|---|---|---|---|---|"
        for control in pack.controls:
            source = _cell(control.source)
            if control.basis.value == "second-hand":
                source += " *(second-hand)*"
            check = f"[`{control.check}`](checks/{control.check}.md)"
            if not (Path(__file__).parent / "checks" / f"{control.check}.md").is_file():
                check = f"`{control.check}`"
            yield (
                f"| `{control.id}` | {_cell(control.title)} ({check}) | {_limit(control)} "
                f"| {control.force.value} | {source} |"
            )
        yield ""


def _limit(control: Any) -> str:
    parts = []
    if control.min is not None:
        parts.append(f"at least {control.min:g} {control.unit}")
    if control.max is not None:
        parts.append(f"at most {control.max:g} {control.unit}")
    if control.limit_from:
        parts.append(f"as declared (`{control.limit_from}`)")
    if control.effective_from is not None:
        parts.append(f"from {control.effective_from.isoformat()}")
    return _cell(", ".join(parts)) or "–"


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
