"""YAML documents that people write: read safely, checked by a JSON schema, errors with lines.

Every hand-written file of a bundle and every policy pack goes through :func:`read_document`, so
that each wrong key is answered the same way: file, line, what is wrong, what would be right.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lenswatch.model import counted, joined, sentence

LARGEST_DOCUMENT = 64 * 1024 * 1024
"""Bytes; a hand-written file above this is a mistake or an attack."""

LARGEST_ALIAS_EXPANSION = 1_000_000
"""Nodes; YAML aliases can expand a few lines into billions of nodes."""

DEEPEST_NESTING = 40
"""Levels of lists and mappings inside each other."""

_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

# libyaml's parser where it was built in, nine times faster than the pure one
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document."""

    message: str
    remedy: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a document and what is wrong with it.

    ``content`` is None where the file is no YAML at all. With faults, ``content`` still holds all
    that could be read: the caller decides what it can use.
    """

    content: Any
    faults: tuple[Fault, ...]
    lines: Mapping[tuple[str | int, ...], int]
    """Line (from 1) of each value, by its path of keys and positions."""

    def line_of(self, *path: str | int) -> int | None:
        """Line of the value at ``path``, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_document(path: Path, schema: Mapping[str, Any] | None = None) -> Document:
    """Read a YAML file without executing anything in it.

    Raises nothing for bad content: faults come back in the document. ``OSError`` where the file
    cannot be read.
    """
    if path.stat().st_size > LARGEST_DOCUMENT:
        return _unreadable(
            sentence("larger than {size} MiB", size=LARGEST_DOCUMENT >> 20),
            "split it, or look at what wrote it",
        )
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _unreadable("not UTF-8 text", "save the file as UTF-8", line)
    return parse_document(text, schema)


def parse_document(text: str, schema: Mapping[str, Any] | None = None) -> Document:
    """As :func:`read_document`, for text already in memory."""
    try:
        if _nests_too_deep(text):
            return _unreadable(
                "nested too deep", sentence("use at most {levels} levels", levels=DEEPEST_NESTING)
            )
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        # the parser's own words quote the document in places; only its stable part is kept
        return _unreadable("not valid YAML here", "check indentation, quotes and colons", line)
    except (yaml.YAMLError, RecursionError, ValueError):
        return _unreadable("not valid YAML", "check for control characters and deep nesting")
    if node is None:
        return _unreadable("empty", "write the file as the docs page on bundles shows")
    lines: dict[tuple[str | int, ...], int] = {}
    faults: list[Fault] = []
    try:
        content = _Builder(lines, faults).build(node, ())
    except (_TooLarge, RecursionError):
        return _unreadable("aliases or nesting too deep", "write the values out, without aliases")
    if schema is not None:
        faults.extend(_schema_faults(content, schema, lines))
    return Document(content, tuple(faults), lines)


def _nests_too_deep(text: str) -> bool:
    """Whether lists and mappings nest beyond the limit, from the flat stream of events.

    libyaml composes by recursion in C: fifty thousand opening brackets end the process.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST_NESTING:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def _unreadable(message: str, remedy: str, line: int | None = None) -> Document:
    return Document(None, (Fault(message, remedy, line),), {})


class _TooLarge(Exception):
    pass


class _Builder:
    """Turns YAML nodes into plain values and remembers where each one stood."""

    def __init__(self, lines: dict[tuple[str | int, ...], int], faults: list[Fault]) -> None:
        self._lines = lines
        self._faults = faults
        self._built = 0
        self._constructor = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        self._built += 1
        if self._built > LARGEST_ALIAS_EXPANSION:
            raise _TooLarge
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_TAGS:
            self._faults.append(
                Fault("a tag (!...)", "remove it; plain YAML only", node.start_mark.line + 1)
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._faults.append(Fault("a key that is not a word", "use plain keys", line))
                continue
            key = str(key_node.value)
            if key in content:
                self._faults.append(
                    Fault("a key that stands twice", "keep one of the two lines", line)
                )
                continue
            self._lines[(*path, key)] = line  # a list begins where its key stands
            content[key] = self.build(value_node, (*path, key))
        return content

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            self._faults.append(
                Fault(
                    "a value that cannot be read",
                    "write a plain number, date or text",
                    node.start_mark.line + 1,
                )
            )
            return None
        # dates become text again: the schema's formats and our own parsing expect ISO 8601
        return value.isoformat() if hasattr(value, "isoformat") else value


def _schema_faults(
    content: Any, schema: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]
) -> list[Fault]:
    from jsonschema import Draft202012Validator

    faults = []
    for error in Draft202012Validator(schema).iter_errors(content):
        path = tuple(error.absolute_path)
        place = path
        while place and place not in lines:
            place = place[:-1]
        faults.append(_explain(error, path, lines.get(place)))
    # several missing keys are one fault, which the validator reports once a key
    return sorted(set(faults), key=lambda fault: (fault.line or 0, fault.message))


_TYPE_WORDS = {
    "object": "a mapping of keys to values",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


def _explain(error: Any, path: tuple[str | int, ...], line: int | None) -> Fault:
    """Say a schema error in words, without quoting the value."""
    where = ".".join(str(part) for part in path) or sentence("the document")
    rule, wanted = error.validator, error.validator_value
    if rule == "required":
        missing = [key for key in wanted if key not in error.instance]
        return Fault(
            sentence("{where}: {keys} missing", where=where, keys=", ".join(missing)),
            sentence("add {keys}", keys=", ".join(missing)),
            line,
        )
    if rule == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        return Fault(
            counted("{where}: unknown key", "{where}: unknown keys", len(unknown), where=where),
            suggestion(unknown, known),
            line,
        )
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        words = joined(
            (sentence(_TYPE_WORDS[kind]) if kind in _TYPE_WORDS else kind for kind in kinds),
            "{first} or {second}",
        )
        return Fault(
            sentence("{where}: not {words}", where=where, words=words),
            sentence("write {words} here", words=words),
            line,
        )
    if rule == "enum":
        return Fault(
            sentence("{where}: not one of the allowed values", where=where),
            sentence("use one of: {values}", values=", ".join(str(value) for value in wanted)),
            line,
        )
    if rule in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        return Fault(
            sentence("{where}: out of range", where=where),
            sentence("{rule} is {wanted}", rule=sentence(rule), wanted=str(wanted)),
            line,
        )
    description = error.schema.get("description", "") if isinstance(error.schema, Mapping) else ""
    remedy = description or "see the docs page on bundles"
    return Fault(
        sentence("{where}: breaks the rule «{rule}»", where=where, rule=rule), remedy, line
    )


def suggestion(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Remedy for misspelt names: the nearest known ones, else all of them."""
    nearest = []
    for word in unknown:
        close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
        nearest.extend(close)
    if nearest:
        return sentence("did you mean {names}?", names=", ".join(dict.fromkeys(nearest)))
    return sentence("known are: {names}", names=", ".join(known))
