"""``lenswatch recordings``: the oldest thing in one store, without a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from lenswatch.evidence.recordings.index import StoreDeclaration
    from lenswatch.measurements.retention import RetentionMeasurements
    from lenswatch.measurements.retention_survival import Deletions

__all__ = ["recordings"]

_SYSTEMS = (
    "directory, frigate, genetec, mediamtx, milestone, moonfire, motion, onvif, s3-inventory, "
    "shinobi, viseron or zoneminder"
)


def recordings(
    system: Annotated[str, typer.Argument(help=f"Which recorder wrote it: {_SYSTEMS}.")],
    path: Annotated[Path, typer.Argument(help="Folder of the store.")],
    limit: Annotated[
        float | None, typer.Option(help="Age limit in hours to judge and plot against.", min=0)
    ] = None,
    as_of: Annotated[
        str, typer.Option(help="Moment to judge at, such as 2026-11-24T00:00:00Z; now if left out.")
    ] = "",
    timezone: Annotated[
        str, typer.Option(help="IANA zone of the store's local times, such as Europe/Berlin.")
    ] = "",
    database: Annotated[
        str, typer.Option(help="SQLite file below the folder, or a mysql:// or postgresql:// URL.")
    ] = "",
    dump: Annotated[str, typer.Option(help="SQL dump or report, below the folder.")] = "",
    config: Annotated[str, typer.Option(help="The recorder's settings, below the folder.")] = "",
    media: Annotated[str, typer.Option(help="Folder of the media files, below the folder.")] = "",
    manifest: Annotated[str, typer.Option(help="manifest.json of an S3 inventory.")] = "",
    lifecycle: Annotated[str, typer.Option(help="Saved lifecycle rules of the bucket.")] = "",
    schedule: Annotated[str, typer.Option(help="Crontab that cleans the store.")] = "",
    camera: Annotated[
        list[str] | None, typer.Option(help="A camera's name in the store; may be given often.")
    ] = None,
    earlier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MOMENT=FOLDER",
            help="An earlier copy of the same store and when it was taken, such as "
            "2026-11-01T00:00:00Z=copies/november; may be given often. Tells at what age "
            "artefacts are really deleted.",
        ),
    ] = None,
    every_manifest: Annotated[
        bool,
        typer.Option(help="S3: take all inventories below the folder as successive copies."),
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(help="Write the plot of age against limit to this SVG file.")
    ] = None,
) -> None:
    """Show the oldest artefact of each camera in a store, its coverage, and what escapes the limit.

    Exit code 1 if something is older than the limit, 3 if the store could not be read whole.
    """
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    import pyarrow as pa
    from rich.console import Console

    from lenswatch.cli._terminal import print_problems
    from lenswatch.errors import UsageError
    from lenswatch.evidence.deployment import Deployment
    from lenswatch.evidence.inventory import Inventory
    from lenswatch.evidence.recordings.index import SYSTEMS, StoreDeclaration
    from lenswatch.measurements.retention import measure_retention
    from lenswatch.measurements.retention_survival import measure_deletions

    if system not in SYSTEMS:
        raise UsageError(f"no reader for «{system[:40]}»; use one of: {', '.join(SYSTEMS)}")
    if not path.is_dir():
        raise UsageError("no such folder; name the folder that holds the store")
    try:
        moment = datetime.fromisoformat(as_of) if as_of else datetime.now(UTC)
        if timezone:
            ZoneInfo(timezone)
    except (ValueError, OSError, LookupError):
        raise UsageError("--as-of takes ISO 8601, --timezone an IANA name") from None
    if moment.tzinfo is None:
        raise UsageError("--as-of needs its offset from UTC, such as a Z at the end")
    store = StoreDeclaration(
        id=path.resolve().name,
        system=system,
        path=str(path.resolve()),
        timezone=timezone,
        cameras={name: name for name in camera or ()},
        database=database,
        dump=dump,
        config=config,
        media=media,
        manifest=manifest,
        lifecycle=lifecycle,
        schedule=schedule,
    )
    names = sorted(store.cameras)
    inventory = Inventory(
        pa.table(
            {"node_id": pa.array(names, pa.string()), "kind": pa.array(["camera"] * len(names))}
        )
    )
    deployment = Deployment("store", moment.astimezone(UTC), declared_retention_hours=limit)
    found = measure_retention([store], deployment, inventory, root=path)
    console = Console()
    _print(console.print, store, found, deployment.as_of)
    problems = tuple(p for p in found.problems if p.file != "recordings/index.yaml")
    if problems:
        console.print()
        print_problems(console, problems)
    copies = _copies(store, deployment.as_of, earlier or (), every_manifest=every_manifest)
    told = True
    if copies:
        deletions = measure_deletions(copies, root=path)
        told = bool(deletions.kinds)
        console.print()
        _print_deletions(console.print, deletions, len(copies), limit)
        more = tuple(p for p in deletions.problems if p not in found.problems)
        if more:
            print_problems(console, more)
    if svg is not None:
        from lenswatch.cli._retention_plot import as_svg

        svg.write_text(as_svg(found, limit), "utf-8")
        console.print(f"Plot: {svg}", markup=False)
    if limit is not None and bool((found.age_low > limit).any()):
        raise typer.Exit(1)
    if not told or not all(summary.complete for summary in found.stores):
        raise typer.Exit(3)


def _print(
    show: object, store: StoreDeclaration, found: RetentionMeasurements, as_of: datetime
) -> None:
    """The table, then the plot."""
    import numpy as np
    from rich.markup import escape
    from rich.table import Table

    from lenswatch.cli._retention_plot import bar, label
    from lenswatch.evidence.recordings.artefacts import Kind
    from lenswatch.measurements.retention import CLOCKS, HOLDS

    assert callable(show)
    summary = found.stores[0]
    show(
        f"{store.system}: {summary.artefacts} artefacts, judged at {as_of:%Y-%m-%d %H:%M} UTC; "
        f"{summary.rows_without_files} rows without a file, {summary.files_without_rows} files "
        f"without a row, {summary.undated} without a date"
    )
    table = Table(show_edge=False, pad_edge=False)
    for name in ("Camera", "Kind", "Number", "Oldest", "Age by all clocks", "Set to", "Covered",
                 "Gaps", "Escapes the limit"):  # fmt: skip
        justify: Literal["left", "right"] = "right" if name in ("Number", "Gaps") else "left"
        table.add_column(name, justify=justify, overflow="fold")
    for row in range(len(found)):
        if not found.count[row]:
            continue
        low, high = found.age_low[row], found.age_high[row]
        oldest = np.datetime64(int(found.oldest[row]), "us").astype("datetime64[m]")
        held = ", ".join(
            f"{int(found.held[row, column])} {reason.words}"
            for column, reason in enumerate(HOLDS)
            if found.held[row, column]
        )
        configured = found.configured[row]
        table.add_row(
            escape(label(found, row)),
            Kind(int(found.kind[row])).words,
            str(found.count[row]),
            f"{str(oldest).replace('T', ' ')}Z",
            hours(low) if low == high else f"{hours(low)} to {hours(high)}",
            "unknown" if np.isnan(configured) else hours(configured),
            hours(found.covered[row]),
            str(found.gaps[row]),
            escape(held),
        )
    show(table)
    for row in range(len(found)):
        if found.count[row]:
            show(bar(found, row))
    conflicts = found.clocks.sum(axis=0)
    for column, flag in enumerate(CLOCKS):
        if conflicts[column] and flag.name in _CONFLICT_WORDS:
            show(f"{int(conflicts[column])} artefacts: {_CONFLICT_WORDS[flag.name]}.")


def _copies(
    store: StoreDeclaration, as_of: datetime, earlier: Sequence[str], *, every_manifest: bool
) -> list[tuple[StoreDeclaration, int]]:
    """The store's copies with the moment of each, the store itself last; empty without others."""
    from dataclasses import replace
    from datetime import datetime

    from lenswatch.errors import UsageError
    from lenswatch.evidence.recordings.clocks import NEVER, microseconds
    from lenswatch.evidence.recordings.s3_inventory import manifests, origin

    copies = []
    if every_manifest:
        if store.system != "s3-inventory" or store.manifest or earlier:
            raise UsageError("--every-manifest is for s3-inventory, alone")
        folder = store.folder(Path())
        origins = {name: origin(folder, name) for name in manifests(folder)}
        if len({what for what, _ in origins.values()}) > 1:
            raise UsageError("inventories of several buckets or rules; name the folder of one")
        if any(taken == NEVER for _, taken in origins.values()):
            raise UsageError("a manifest does not say when it was taken (creationTimestamp)")
        copies = [(replace(store, manifest=name), taken) for name, (_, taken) in origins.items()]
    elif earlier:
        for text in earlier:
            moment, _, folder_name = text.partition("=")
            folder = Path(folder_name)
            try:
                taken = datetime.fromisoformat(moment)
            except ValueError:
                raise UsageError("--earlier takes MOMENT=FOLDER, with ISO 8601") from None
            if taken.tzinfo is None:
                raise UsageError("--earlier needs the moment's offset from UTC, such as a Z")
            if not folder_name or not folder.is_dir():
                raise UsageError("--earlier: no such folder")
            copies.append((replace(store, path=str(folder.resolve())), microseconds(taken)))
        copies.append((store, microseconds(as_of)))
    if copies and len({taken for _, taken in copies}) < max(2, len(copies)):
        raise UsageError("deletions need two copies or more, each of a moment of its own")
    return copies


def _print_deletions(show: object, deletions: Deletions, copies: int, limit: float | None) -> None:
    """At what age each kind of artefact is deleted."""
    from rich.table import Table

    assert callable(show)
    if not deletions.kinds:
        show(f"Deletions: not told, because one of {copies} copies could not be read whole")
        return
    show(f"Deletions between {copies} copies:")
    table = Table(show_edge=False, pad_edge=False)
    for name in ("Kind", "Watched", "Deleted", "Half are gone at", "Outlive the limit"):
        table.add_column(name, overflow="fold")
    for kind in deletions.kinds:
        shares = [] if limit is None else [c.outlives(limit) for c in (kind.early, kind.late)]
        table.add_row(
            kind.kind.words,
            str(kind.watched),
            str(kind.deleted),
            _half(kind.early.median(), kind.late.median()),
            f"{min(shares):.0%} to {max(shares):.0%}" if shares else "",
        )
    show(table)
    if deletions.unnamed:
        show(
            f"{deletions.unnamed} artefacts are dated by modification time alone and left out: "
            "copying renews it."
        )


def _half(early: float, late: float) -> str:
    if early != early:
        return "more than half live longer than was watched"
    if late != late:
        return f"{hours(early)} or later"
    return f"{hours(early)} to {hours(late)}"


_CONFLICT_WORDS = {
    "NAME_CONTAINER": "name and container time disagree",
    "NAME_MODIFIED": "the last write is before the time in the name",
    "CONTAINER_MODIFIED": "the last write is before the container time",
    "TOUCHED": "written to after the footage ended (copied or restored)",
    "NAME_DATABASE": "name and database row disagree",
    "FOLD": "the local time occurred twice (clock change)",
    "GAP": "the local time never occurred (clock change)",
    "ZONE_UNKNOWN": "local time without a zone: give --timezone",
    "BROKEN": "the file is broken or was never closed",
}


def hours(value: float) -> str:
    """``71.5 h``, ``12.3 days`` or ``no limit``."""
    if value == float("inf"):
        return "no limit"
    return f"{value:.1f} h" if abs(value) < 96 else f"{value / 24:.1f} days"
