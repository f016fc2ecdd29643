"""The evidence bundle: what an audit is given.

:func:`open_bundle` looks at the layout, reads the hand-written files and the inventory, and lists
what there is of video, flows and recordings without reading it. What is wrong becomes a
:class:`~lenswatch.model.Problem`; only a bundle in which nothing can be audited raises.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lenswatch.documents import Document, read_document
from lenswatch.errors import EvidenceUnusable
from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.inventory_reader import read_inventory
from lenswatch.evidence.recordings.index import StoreDeclaration, read_index
from lenswatch.evidence.recordings.names import shown
from lenswatch.model import Problem
from lenswatch.policy import PolicyException, load_exceptions

SCHEMAS = ("deployment", "nodes", "exceptions", "plan", "recordings")
"""Published JSON schemas; the one of flow tables is beside them."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One file below ``video/<node_id>/``."""

    node_id: str
    path: Path
    relative: str
    """Path relative to the bundle, fit for a message."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The evidence, listed and checked but not yet measured."""

    root: Path
    deployment: Deployment
    inventory: Inventory
    videos: tuple[VideoFile, ...]
    """Sorted by node, then by name."""
    flow_files: tuple[Path, ...]
    """Every file below ``flows/``, sorted by path."""
    stores: tuple[StoreDeclaration, ...]
    exceptions: tuple[PolicyException, ...]
    problems: tuple[Problem, ...]


@cache
def schema(name: str) -> dict[str, Any]:
    """A published JSON schema of the bundle, by its name in :data:`SCHEMAS`."""
    if name == "recordings":
        file = resources.files("lenswatch.evidence.recordings").joinpath("index.json")
    else:
        file = resources.files("lenswatch.evidence").joinpath("schemas", f"{name}.json")
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def open_bundle(root: Path) -> Bundle:
    """Open the bundle in the folder ``root``.

    Raises :class:`EvidenceUnusable` where there is no such folder, no usable ``deployment.yaml``
    or no usable inventory. Cost: linear in the inventory and in the number of files.
    """
    if not root.is_dir():
        raise EvidenceUnusable(
            "no such folder", file=shown(str(root)), remedy="name the folder of a bundle"
        )
    problems: list[Problem] = []
    deployment = _read_deployment(root, problems)
    inventory = _read_nodes(root, problems)
    problems.extend(
        Problem(
            "deployment.yaml",
            "declared.sinks names a node that the inventory does not have",
            "use a node_id of the inventory, or add the node",
            part="deployment",
        )
        for node_id in deployment.declared_sinks or ()
        if inventory.row_of(node_id) is None
    )
    videos = _list_videos(root, inventory, problems)
    flow_files = _list_flow_files(root, problems)
    stores: tuple[StoreDeclaration, ...] = ()
    index = root / "recordings" / "index.yaml"
    if index.is_file():
        stores, found = read_index(index, root=root)
        problems.extend(found)
    elif (root / "recordings").is_dir():
        problems.append(
            Problem(
                "recordings/index.yaml",
                "missing, so nothing below recordings/ can be read",
                "declare each store, its system and its cameras there",
                part="recordings",
            )
        )
    exceptions: tuple[PolicyException, ...] = ()
    if (root / "exceptions.yaml").is_file():
        exceptions, found = load_exceptions(root / "exceptions.yaml")
        problems.extend(found)
    return Bundle(
        root, deployment, inventory, videos, flow_files, stores, exceptions, tuple(problems)
    )


def _document(root: Path, name: str, part: str, problems: list[Problem]) -> Document:
    path = root / name
    if not path.is_file():
        raise EvidenceUnusable("missing", file=name, remedy="add it as the docs on bundles show")
    try:
        document = read_document(path, schema(part))
    except OSError as error:
        raise EvidenceUnusable(
            f"cannot be opened ({error.strerror})", file=name, remedy="check who may read it"
        ) from error
    problems.extend(
        Problem(name, fault.message, fault.remedy, line=fault.line, part=part)
        for fault in document.faults
    )
    if not isinstance(document.content, dict):
        fault = next(iter(document.faults), None)
        raise EvidenceUnusable(
            fault.message if fault else "not a mapping of keys to values",
            file=name,
            line=fault.line if fault else 1,
            remedy=fault.remedy if fault else "write `key: value` lines",
        )
    return document


def _read_deployment(root: Path, problems: list[Problem]) -> Deployment:
    document = _document(root, "deployment.yaml", "deployment", problems)
    content = document.content
    as_of = _moment(content.get("as_of"))
    if as_of is None:
        raise EvidenceUnusable(
            "as_of is missing or is no moment with its offset from UTC",
            file="deployment.yaml",
            line=document.line_of("as_of"),
            remedy="write the moment retention is judged at, such as 2026-11-24T00:00:00Z",
        )
    declared = content.get("declared")
    declared = declared if isinstance(declared, dict) else {}
    hours = declared.get("retention_hours")
    retention = None
    if isinstance(hours, (int, float)) and not isinstance(hours, bool) and hours >= 0:
        retention = float(hours)
    sinks = declared.get("sinks")
    return Deployment(
        name=_text(content.get("name")) or root.resolve().name,
        as_of=as_of,
        jurisdiction=_text(content.get("jurisdiction")),
        operator=_text(content.get("operator")),
        declared_retention_hours=retention,
        declared_sinks=tuple(sink for sink in sinks if isinstance(sink, str))
        if isinstance(sinks, list)
        else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _read_nodes(root: Path, problems: list[Problem]) -> Inventory:
    present = [name for name in ("nodes.parquet", "nodes.csv") if (root / name).is_file()]
    if not present:
        raise EvidenceUnusable(
            "missing", file="nodes.csv", remedy="list the nodes in nodes.csv or nodes.parquet"
        )
    if len(present) == 2:
        problems.append(
            Problem(
                "nodes.csv",
                "there is a nodes.parquet too; this file was not read",
                "keep one of the two",
                part="nodes",
                warning=True,
            )
        )
    try:
        inventory, found = read_inventory(root / present[0], name=present[0])
    except OSError as error:
        raise EvidenceUnusable(
            f"cannot be opened ({error.strerror})", file=present[0], remedy="check who may read it"
        ) from error
    problems.extend(found)
    return inventory


def _files_below(folder: Path, root: Path, part: str, problems: list[Problem]) -> Iterator[Path]:
    """Regular files below a folder in the order of their paths; links out are named, not followed.

    Evidence is somebody else's archive: a link could point anywhere on the auditor's machine.
    """
    for directory, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        here = Path(directory)
        for name in sorted(names + [d for d in folders if (here / d).is_symlink()]):
            path = here / name
            if path.is_symlink():
                message, remedy = "a symbolic link, not followed", "copy the file itself"
            elif not path.is_file():
                message, remedy = "neither a file nor a folder", "remove it"
            else:
                yield path
                continue
            problems.append(
                Problem(_relative(path, root), message, remedy, part=part, warning=True)
            )


def _relative(path: Path, root: Path) -> str:
    return shown(path.relative_to(root).as_posix())


def _list_videos(
    root: Path, inventory: Inventory, problems: list[Problem]
) -> tuple[VideoFile, ...]:
    folder = root / "video"
    if not folder.is_dir():
        return ()
    videos: list[VideoFile] = []
    for entry in sorted(folder.iterdir()):
        name = _relative(entry, root)
        if not entry.is_dir() or entry.is_symlink():
            message = "not in the folder of a camera, so not looked at"
            problems.append(
                Problem(name, message, "move it to video/<node_id>/", part="video", warning=True)
            )
            continue
        row = inventory.row_of(entry.name)
        if row is None:
            message = "this folder is named after no node of the inventory; not looked at"
            problems.append(
                Problem(name, message, "name the folder by the camera's node_id", part="video")
            )
            continue
        files = [
            VideoFile(entry.name, path, _relative(path, root))
            for path in _files_below(entry, root, "video", problems)
        ]
        if not files:
            problems.append(
                Problem(
                    name,
                    "no video in this folder",
                    "add a clip, or remove the folder",
                    part="video",
                    subject=f"node:{entry.name}",
                )
            )
        videos.extend(files)
    return tuple(videos)


def _list_flow_files(root: Path, problems: list[Problem]) -> tuple[Path, ...]:
    folder = root / "flows"
    if not folder.is_dir():
        return ()
    files = tuple(_files_below(folder, root, "flows", problems))
    if not files:
        problems.append(
            Problem(
                "flows", "no file in this folder", "add the routers' exports, or remove it",
                part="flows",
            )
        )  # fmt: skip
    return files


def bundle_digest(root: Path, progress: Callable[[str, int, int], None] | None = None) -> str:
    """``sha256:...`` over the names and contents of all files of a bundle.

    What stands for a file's content is told at :func:`file_digests`. Order of the file system, and
    where the bundle lies, do not matter.
    """
    total = hashlib.sha256()
    for name, digest in file_digests(root, progress):
        total.update(os.fsencode(name) + b"\0" + digest)
    return f"sha256:{total.hexdigest()}"


def file_digests(
    root: Path, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Name (relative to the bundle, with ``/``) and SHA-256 of each file, sorted by name.

    Below ``recordings/`` a media file stands with its size and modification time instead of its
    content: a city's footage is petabytes, and no verdict reads its pictures. Databases, dumps and
    settings (anything up to 64 MiB that is no media file) count with their content.

    A recorder names folders and files after persons it was taught to recognise, and a log is
    published. So what lies inside a store's folder is one entry, ``recordings/<folder>/**``, a
    digest over all its names and digests; only files right in the store's folder that are no media
    (its database, its settings) have names of their own.
    """
    ignored: list[Problem] = []
    paths = sorted(
        (path.relative_to(root).as_posix(), path) for path in _files_below(root, root, "", ignored)
    )
    inside: dict[str, Any] = {}
    for done, (name, path) in enumerate(paths):
        digest = hashlib.sha256()
        status = path.stat()
        recorded = name.startswith("recordings/")
        media = recorded and _is_media(path, status.st_size)
        if media:
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
        else:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
        if recorded and (media or name.count("/") > 2):
            # media right below recordings/ belongs to no folder
            parts = name.split("/")
            group = "/".join(parts[:2] if len(parts) > 2 else parts[:1])
            folded = inside.setdefault(f"{group}/**", hashlib.sha256())
            folded.update(os.fsencode(name) + b"\0" + digest.digest())
        else:
            yield name, digest.digest()
        if progress is not None:
            progress("digest", done + 1, len(paths))
    for group, folded in sorted(inside.items()):
        yield group, folded.digest()


_MEDIA = frozenset(
    [
        ".mp4",
        ".m4s",
        ".mkv",
        ".mov",
        ".avi",
        ".ts",
        ".mpg",
        ".mpeg",
        ".flv",
        ".webm",
        ".h264",
        ".h265",
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".gif",
    ]
)


def _is_media(path: Path, size: int) -> bool:
    return path.suffix.lower() in _MEDIA or size > 64 << 20
