"""``DEVICE.yaml``: read, checked, and given the digest that a certificate is bound to."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import rfc8785

from lenswatch.documents import Document, Fault, read_document, suggestion
from lenswatch.errors import EvidenceError

PLACEHOLDERS = ("stimulus", "output", "home", "now", "device", "python")
"""What may stand in braces in ``run``."""

OWN_KINDS = ("command", "container", "endpoints")
"""Kinds of device that come with lenswatch."""

ADAPTERS = "lenswatch.devices"
"""Group of entry points that adds further kinds."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint that the device is declared to send to."""

    name: str
    address: str
    """An IP address, or a host name that the device looks up."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A device as its maker declares it."""

    path: Path
    """The file itself."""
    name: str
    vendor: str
    model: str
    firmware: str
    kind: str
    run: tuple[str, ...]
    environment: Mapping[str, str]
    settings: Mapping[str, Any]
    video: str
    clock: str
    """``told`` or ``faketime``; empty where retention cannot be judged."""
    seconds: float
    stores: tuple[Mapping[str, Any], ...]
    onvif: str
    masks_faces: bool
    retention_hours: float
    receivers: tuple[Receiver, ...]
    width_px: int | None
    height_px: int | None
    digest: str
    """``sha256:...`` over the declaration and the content of its files."""

    @property
    def folder(self) -> Path:
        """Where the device's files lie."""
        return self.path.resolve().parent


@functools.cache
def device_schema() -> Mapping[str, Any]:
    """The published JSON schema of ``DEVICE.yaml``."""
    text = Path(__file__).with_name("device.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_declaration(path: Path) -> Declaration:
    """Read a device's declaration and take the digest of its files.

    Raises :class:`~lenswatch.errors.EvidenceError` with file, line and remedy for the first fault;
    :func:`inspect_declaration` gives all of them.
    """
    declaration, faults = inspect_declaration(path)
    if declaration is None:
        first = faults[0]
        raise EvidenceError(first.message, file=str(path), line=first.line, remedy=first.remedy)
    return declaration


def inspect_declaration(path: Path) -> tuple[Declaration | None, tuple[Fault, ...]]:
    """The declaration, or None and everything that is wrong with it."""
    try:
        document = read_document(path, device_schema())
    except OSError as error:
        fault = Fault(f"cannot be opened ({error.strerror})", "name the device's YAML file")
        return None, (fault,)
    if document.faults:
        return None, document.faults
    faults = tuple(_more_faults(path, document))
    if faults:
        return None, faults
    content = document.content
    declared = content["declared"]
    return (
        Declaration(
            path=path,
            name=content["name"],
            vendor=content["vendor"],
            model=content["model"],
            firmware=content["firmware"],
            kind=content["kind"],
            run=tuple(content.get("run", ())),
            environment=MappingProxyType(dict(content.get("environment", {}))),
            settings=MappingProxyType(dict(content.get("settings", {}))),
            video=content.get("video", "video.mp4"),
            clock=content.get("clock", ""),
            seconds=float(content.get("seconds", 120)),
            stores=tuple(content.get("stores", ())),
            onvif=content.get("onvif", ""),
            masks_faces=declared["masks_faces"],
            retention_hours=float(declared["retention_hours"]),
            receivers=tuple(Receiver(r["name"], r["address"]) for r in declared["receivers"]),
            width_px=declared.get("width_px"),
            height_px=declared.get("height_px"),
            digest=_digest(path.resolve().parent, content),
        ),
        (),
    )


def _more_faults(path: Path, document: Document) -> Iterable[Fault]:
    """What a schema cannot say."""
    content, line = document.content, document.line_of
    known = sorted({*OWN_KINDS, *(entry.name for entry in entry_points(group=ADAPTERS))})
    if content["kind"] not in known:
        yield Fault("kind: no such kind", suggestion([content["kind"]], known), line("kind"))
    if content["kind"] == "command":
        if "run" not in content:
            yield Fault("run missing", "add the program and its arguments", line("kind"))
        yield from _run_faults(path.resolve().parent, document)
    for number, name in enumerate(content.get("files", ())):
        if fault := _file_fault(path.resolve().parent, name):
            yield Fault(f"files: {fault[0]}", fault[1], line("files", number))
    for key in ("video", "onvif"):
        if key in content and not _stays_below(content[key]):
            yield Fault(f"{key}: leaves its folder", "use a relative path without ..", line(key))
    for number, store in enumerate(content.get("stores", ())):
        if not isinstance(store["path"], str) or not _stays_below(store["path"]):
            place = line("stores", number, "path")
            yield Fault("stores.path: leaves {home}", "use a relative path without ..", place)
    names = [receiver["name"] for receiver in content["declared"]["receivers"]]
    for number, receiver in enumerate(content["declared"]["receivers"]):
        place = line("declared", "receivers", number)
        if names.count(receiver["name"]) > 1 or receiver["name"] in RESERVED:
            yield Fault("receivers: a name that is taken", "give each a name of its own", place)
        if not _is_endpoint(receiver["address"]):
            yield Fault(
                "receivers: no address", "an IP address or a host name, without port", place
            )


RESERVED = ("device", "recorder", "network")
"""Node ids that the harness itself gives."""


def _run_faults(folder: Path, document: Document) -> Iterable[Fault]:
    content = document.content
    listed = set(content.get("files", ()))
    for number, word in enumerate(content.get("run", ())):
        place = document.line_of("run", number)
        rest = word
        for name in PLACEHOLDERS:
            rest = rest.replace("{" + name + "}", "")
        if "{" in rest or "}" in rest:
            yield Fault(
                "run: an unknown placeholder",
                "known are: " + ", ".join("{" + name + "}" for name in PLACEHOLDERS),
                place,
            )
        own = word.replace("{device}/", "")
        if own and _stays_below(own) and (folder / own).is_file() and own not in listed:
            yield Fault(
                "run: names a file that is not listed under files",
                "list it: the certificate must say which program was tested",
                place,
            )


def _stays_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\x00" in name)


def _file_fault(folder: Path, name: str) -> tuple[str, str] | None:
    if not _stays_below(name):
        return "leaves the folder of the device", "use a relative path without .."
    path = folder / name
    if path.is_symlink() or not path.is_file():
        return "no such file", "name a file beside DEVICE.yaml, no folder and no link"
    if not path.resolve().is_relative_to(folder):
        return "leaves the folder of the device", "copy the file itself"
    return None


def _is_endpoint(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        labels = address.rstrip(".").split(".")
        return (
            all(
                label and len(label) < 64 and label.replace("-", "").isalnum() and label.isascii()
                for label in labels
            )
            and not labels[-1].isdigit()
        )
    return True


def _digest(folder: Path, content: Mapping[str, Any]) -> str:
    files = {}
    for name in content.get("files", ()):
        digest = hashlib.sha256()
        with (folder / name).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        files[name] = digest.hexdigest()
    whole = rfc8785.dumps({"declaration": dict(content), "files": files})
    return f"sha256:{hashlib.sha256(whole).hexdigest()}"
