"""From YAML files to packs: read, checked against the schema, composed, given a digest.

A pack may build on others (``extends``). It takes their controls over under its own id, so that
``cn-799/retention-minimum`` becomes ``chongqing-2009/retention-minimum``; it may leave some out
(``drop``), change fields of others (``change``) and add its own (``controls``). Two packs in one
audit therefore never share a control id, and an exception written for one is none for the other.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lenswatch.documents import Document, Fault, read_document
from lenswatch.errors import PolicyError, location
from lenswatch.model import Severity
from lenswatch.policy.model import Control, Force, Pack, SourceBasis, Subjects

DEFAULT_PACK = "core"

_SHOWN_FAULTS = 5
_DEEPEST_CHAIN = 8


@functools.cache
def pack_schema() -> Mapping[str, Any]:
    """The published JSON schema of a pack."""
    text = Path(__file__).with_name("pack.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def shipped_packs() -> tuple[str, ...]:
    """Ids of the packs that come with lenswatch, sorted."""
    return tuple(sorted(path.stem for path in _shipped_folder().glob("*.yaml")))


def load_packs(names_or_paths: Sequence[str]) -> tuple[Pack, ...]:
    """Read packs by the id of one that ships with lenswatch, or by the path of a YAML file.

    A word that ends in ``.yaml`` or ``.yml``, or has a slash in it, is a path. Packs come back in
    the order asked for; no words at all give the default pack, ``core``.

    Raises :class:`~lenswatch.errors.PolicyError` with file, line and remedy for a pack that is not
    there, is malformed, or has the id of another one in the same call.
    """
    packs: list[Pack] = []
    for word in names_or_paths or (DEFAULT_PACK,):
        pack = load_pack(_find(word))
        if any(pack.id == other.id for other in packs):
            raise PolicyError(
                f"{word}: a pack with the id {pack.id} is already in this audit"
                " (name it once, or give one of the two another id)"
            )
        packs.append(pack)
    return tuple(packs)


def load_pack(path: Path) -> Pack:
    """Read one pack file; see :func:`load_packs`."""
    pack, faults = inspect_pack(path)
    if pack is None:
        raise PolicyError(_listed(path.name, faults))
    return pack


def inspect_pack(path: Path) -> tuple[Pack | None, tuple[Fault, ...]]:
    """The pack, or None and everything that is wrong with it."""
    try:
        draft = _resolve(path, ())
    except _Faulty as error:
        return None, error.faults
    return _finish(draft), ()


def _shipped_folder() -> Path:
    return Path(__file__).with_name("packs")


def _find(word: str, near: Path | None = None) -> Path:
    """Path of the pack that a word means; relative paths count from ``near``."""
    if word.endswith((".yaml", ".yml")) or "/" in word or "\\" in word:
        path = Path(word) if near is None else near / word
        if not path.is_file():
            raise PolicyError(f"{word}: no such file (give the path of a pack's YAML file)")
        return path
    known = shipped_packs()
    if word not in known:
        close = difflib.get_close_matches(word, known, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"known are: {', '.join(known)}"
        raise PolicyError(
            f"no pack is called {word!r} ({remedy}; a file of your own is named by its path)"
        )
    return _shipped_folder() / f"{word}.yaml"


def _listed(file: str, faults: Iterable[Fault]) -> str:
    """All faults as one text, one a line, the first few of them."""
    found = list(faults)
    lines = [
        f"{location(file, fault.line)}: {fault.message} ({fault.remedy})"
        for fault in found[:_SHOWN_FAULTS]
    ]
    if len(found) > _SHOWN_FAULTS:
        lines.append(
            f"and {len(found) - _SHOWN_FAULTS} more; `lenswatch policy lint` lists them all"
        )
    return "\n".join(lines)


class _Faulty(Exception):
    """Carries what is wrong with a pack up to where it is reported."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(len(self.faults))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A pack whose controls are still fields, so that another pack can change them."""

    head: Mapping[str, Any]
    controls: Mapping[str, Mapping[str, Any]]
    """Fields of each control by its name, in the order of the files."""
    extends: tuple[str, ...]


def _resolve(path: Path, chain: tuple[Path, ...]) -> _Draft:
    place = path.resolve()
    if place in chain or len(chain) >= _DEEPEST_CHAIN:
        raise _Faulty([Fault("extends itself, or too deep a chain", "break the circle")])
    try:
        document = read_document(path, pack_schema())
    except OSError as error:
        raise _Faulty([Fault("cannot be read", error.strerror or "look at its rights")]) from error
    if document.content is None or document.faults:
        raise _Faulty(dict.fromkeys(document.faults))
    content: dict[str, Any] = document.content
    identifier = content["id"]
    shipped = _shipped_folder() / f"{identifier}.yaml"
    if shipped.is_file() and place != shipped.resolve():
        fault = Fault(
            f"the id {identifier} belongs to a pack that ships with lenswatch",
            "give your pack another id, and name that one under extends",
            document.line_of("id"),
        )
        raise _Faulty([fault])
    controls: dict[str, dict[str, Any]] = {}
    bases: list[str] = []
    for position, word in enumerate(content.get("extends", ())):
        base = _base(word, path, (*chain, place), document.line_of("extends", position))
        bases.append(base.head["id"])
        for name, fields in base.controls.items():
            if name in controls:
                fault = Fault(
                    f"two of the packs it extends have a control {name}",
                    "extend one of them, and use the other beside this pack",
                    document.line_of("extends", position),
                )
                raise _Faulty([fault])
            controls[name] = dict(fields)
    faults = [*_amend(controls, document), *_check_values(controls, document)]
    if not controls:
        faults.append(
            Fault("no controls", "add controls, or name a pack under extends", document.line_of())
        )
    if faults:
        raise _Faulty(sorted(faults, key=lambda fault: fault.line or 0))
    head = {key: content[key] for key in ("id", "title", "version", "description")}
    return _Draft(head, controls, tuple(bases))


def _base(word: str, path: Path, chain: tuple[Path, ...], line: int | None) -> _Draft:
    try:
        return _resolve(_find(word, path.parent), chain)
    except PolicyError as error:
        raise _Faulty([Fault(str(error), "correct the entry under extends", line)]) from error
    except _Faulty as error:
        first = error.faults[0]
        fault = Fault(
            f"the pack {word} is wrong at {location(word, first.line)}: {first.message}",
            first.remedy,
            line,
        )
        raise _Faulty([fault]) from error


def _amend(controls: dict[str, dict[str, Any]], document: Document) -> list[Fault]:
    """Apply ``drop``, ``change`` and ``controls`` in that order; say what does not fit."""
    content, faults = document.content, []
    for position, name in enumerate(content.get("drop", ())):
        if controls.pop(name, None) is None:
            line = document.line_of("drop", position)
            faults.append(Fault("drops a control that it does not take over", "remove it", line))
    changed: set[str] = set()
    for position, change in enumerate(content.get("change", ())):
        line = document.line_of("change", position, "id")
        name = change["id"]
        if name not in controls or name in changed:
            again = name in changed
            faults.append(
                Fault(
                    "changes a control twice" if again else "changes a control not taken over",
                    "write one entry" if again else "a control of its own stands under controls",
                    line,
                )
            )
            continue
        changed.add(name)
        for key, value in change.items():
            if value is None:
                controls[name].pop(key, None)
            else:
                controls[name][key] = value
    for position, fields in enumerate(content.get("controls", ())):
        if fields["id"] in controls:
            faults.append(
                Fault(
                    "a control with this id stands already in the pack",
                    "give it another id, or put it under change",
                    document.line_of("controls", position, "id"),
                )
            )
            continue
        controls[fields["id"]] = dict(fields)
    return faults


def _check_values(controls: Mapping[str, Mapping[str, Any]], document: Document) -> Iterable[Fault]:
    """What a JSON schema cannot say: finite numbers, real days, a minimum below the maximum."""
    places = {
        fields["id"]: (key, position)
        for key in ("change", "controls")
        for position, fields in enumerate(document.content.get(key, ()))
    }
    for name, fields in controls.items():
        place = places.get(name, ("extends",))
        numbers = {key: fields[key] for key in ("min", "max", "weight") if key in fields}
        numbers |= {
            f"parameters.{key}": value
            for key, value in fields.get("parameters", {}).items()
            if isinstance(value, float)
        }
        for key, value in numbers.items():
            if not math.isfinite(value):
                line = document.line_of(*place, *key.split("."))
                yield Fault(f"{name}.{key}: not a finite number", "write a plain number", line)
        if "min" in fields and "max" in fields and fields["min"] > fields["max"]:
            line = document.line_of(*place, "min")
            yield Fault(f"{name}: min is above max", "swap the two, or drop one", line)
        limited = any(key in fields for key in ("min", "max", "limit_from"))
        if limited and "unit" not in fields:
            line = document.line_of(*place)
            yield Fault(f"{name}: a limit without a unit", "add unit, such as hours", line)
        if "effective_from" in fields:
            try:
                date.fromisoformat(fields["effective_from"])
            except ValueError:
                line = document.line_of(*place, "effective_from")
                yield Fault(f"{name}.effective_from: no such day", "write YYYY-MM-DD", line)


def _finish(draft: _Draft) -> Pack:
    controls = tuple(_control(draft.head["id"], fields) for fields in draft.controls.values())
    return Pack(
        **draft.head, controls=controls, digest=_digest(draft.head, controls), extends=draft.extends
    )


def _control(pack: str, fields: Mapping[str, Any]) -> Control:
    effective = fields.get("effective_from")
    return Control(
        id=f"{pack}/{fields['id']}",
        title=fields["title"],
        check=fields["check"],
        force=Force(fields["force"]),
        source=fields["source"],
        basis=SourceBasis(fields["basis"]),
        remediation=fields["remediation"],
        severity=Severity(fields.get("severity", "medium")),
        weight=float(fields.get("weight", 1.0)),
        effective_from=None if effective is None else date.fromisoformat(effective),
        min=_number(fields.get("min")),
        max=_number(fields.get("max")),
        limit_from=fields.get("limit_from"),
        unit=fields.get("unit", ""),
        parameters=MappingProxyType(dict(fields.get("parameters", {}))),
        subjects=Subjects(fields.get("subjects", "cameras")),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def control_content(control: Control) -> dict[str, Any]:
    """A control as plain values, as it enters the digest and prints as JSON."""
    effective = control.effective_from
    return {
        "id": control.id,
        "title": control.title,
        "check": control.check,
        "force": str(control.force),
        "source": control.source,
        "basis": str(control.basis),
        "remediation": control.remediation,
        "severity": str(control.severity),
        "weight": control.weight,
        "effective_from": None if effective is None else effective.isoformat(),
        "min": control.min,
        "max": control.max,
        "limit_from": control.limit_from,
        "unit": control.unit,
        "subjects": str(control.subjects),
        "parameters": dict(control.parameters),
    }


def _digest(head: Mapping[str, Any], controls: Sequence[Control]) -> str:
    """Digest of what the pack says, whatever its layout, comments and order of controls."""
    content = {
        **head,
        "controls": sorted((control_content(control) for control in controls), key=_id_of),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _id_of(content: Mapping[str, Any]) -> str:
    return str(content["id"])
