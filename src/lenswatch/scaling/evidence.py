"""The bundle as a worker sees it: the same files under the same path, or nothing at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lenswatch import __version__
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.evidence.bundle import Bundle, open_bundle

_INVENTORIES = ("nodes.parquet", "nodes.csv")


@dataclass(frozen=True, slots=True)
class SharedEvidence:
    """A bundle that every worker can open for itself."""

    root: str
    """Absolute path, the same on every machine."""
    fingerprint: str
    """Of what the auditor's machine sees there."""
    version: str = __version__
    """Of lenswatch on the auditor's machine."""

    @classmethod
    def of(cls, bundle: Bundle) -> SharedEvidence:
        """What to give to the workers."""
        return cls(str(bundle.root.resolve()), fingerprint(bundle))

    def open(self) -> Bundle:
        """The bundle on this machine; read once in each process.

        Raises :class:`UsageError` where this machine has another bundle under the path, or another
        version of lenswatch: a missing folder must not look like a camera without video.
        """
        if self.version != __version__:
            raise UsageError(
                f"a worker runs lenswatch {__version__}, this machine {self.version}; "
                "install the same version everywhere"
            )
        return _open(self.root, self.fingerprint)


@lru_cache(maxsize=1)
def _open(root: str, expected: str) -> Bundle:
    try:
        bundle = open_bundle(Path(root))
    except EvidenceError:
        bundle = None
    if bundle is None or fingerprint(bundle) != expected:
        raise UsageError(
            "a worker does not see the bundle under the path that this machine has it under; give "
            "all of them the same folder (NFS, a mounted volume, or a copy)"
        )
    return bundle


def fingerprint(bundle: Bundle) -> str:
    """SHA-256 over the hand-written files, and over names and sizes of videos and flow files.

    Cheap enough for every worker; the digest of the evidence, over all contents, is another thing.
    """
    total = hashlib.sha256()
    root = bundle.root
    written = ("deployment.yaml", *_INVENTORIES, "recordings/index.yaml")
    for path in (root / name for name in written):
        if path.is_file():
            total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for path in (*(video.path for video in bundle.videos), *bundle.flow_files):
        total.update(
            f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode(
                errors="surrogateescape"
            )
        )
    return total.hexdigest()
