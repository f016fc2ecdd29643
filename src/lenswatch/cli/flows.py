"""``lenswatch flows``: what is in flow exports, captures and logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lenswatch.evidence.flows import FlowReader, FlowTable

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Read flow evidence of any kind: NetFlow v5/v9, IPFIX, sFlow (as pcap or raw payloads), "
        "traffic captures, Zeek conn.log, nfdump CSV, Parquet. The kind of a file is told by its "
        "content. Folders are searched for files."
    ),
)

Files = Annotated[
    list[Path],
    typer.Argument(help="Files or folders, read in this order.", exists=True, readable=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _files(paths: list[Path]) -> list[Path]:
    """Files in the order given; those of a folder by name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found.extend(
                sorted(item for item in path.rglob("*") if item.is_file() and not _hidden(item))
            )
        else:
            found.append(path)
    return found


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _reader(paths: list[Path], **options: Any) -> FlowReader:
    from lenswatch.evidence.flows import FlowReader

    files = _files(paths)
    root = Path.cwd()
    return FlowReader(files, root=root, **options)


def _tables(reader: FlowReader) -> Iterator[FlowTable]:
    """The reader's tables under a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[rows]:,} records"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("reading", total=len(reader.files), rows=0)
        rows = 0
        for table in reader:
            rows += len(table)
            done = int(table.file.max()) if len(table) else 0
            bar.update(task, completed=done, rows=rows)
            yield table


def _report(reader: FlowReader) -> None:
    """Problems and a line a exporter, on standard error."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    for problem in reader.problems:
        from lenswatch.errors import location

        place = location(problem.file, problem.line, problem.offset)
        kind = "note" if problem.warning else "problem"
        console.print(f"{kind}: {place}: {problem.message} ({problem.remedy})", markup=False)


def _exporter_table(reader: FlowReader) -> Any:
    from rich.table import Table

    table = Table(title="Exporters", title_justify="left")
    for name, justify in (
        ("protocol", "left"), ("address", "left"), ("domain", "right"), ("records", "right"),
        ("messages", "right"), ("gaps", "right"), ("lost", "right"), ("sampling", "right"),
        ("clock ahead of us", "right"), ("timeout", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for item in reader.exporters:
        offset = item.clock_offset_ms
        table.add_row(
            item.protocol,
            item.address or "unknown",
            str(item.observation_domain),
            f"{item.records:,}",
            f"{item.messages:,}",
            f"{item.sequence_gaps:,}" + ("" if item.follows_rfc_sequence else " *"),
            f"{item.lost_units:,}" + (f" {item.sequence_unit}" if item.lost_units else ""),
            f"1:{item.sampling}" if item.sampling else "not told",
            "-" if offset is None else f"{-offset / 1000:,.1f} s",
            f"{item.active_timeout_s:g} s" if item.active_timeout_s else "-",
        )
    if any(not item.follows_rfc_sequence for item in reader.exporters):
        table.caption = "* numbers its messages in its own way; a gap hints at loss only"
    return table


@app.command()
def decode(
    files: Files,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Parquet file to write.", dir_okay=False)
    ] = None,
    all_fields: Annotated[
        bool,
        typer.Option(
            "--all-fields",
            help="Also keep every field of every record, enterprise ones and options records too, "
            "as a JSON column `fields`. Slow: for looking closely.",
        ),
    ] = False,
    split_biflows: Annotated[
        bool,
        typer.Option(
            "--split-biflows/--keep-biflows",
            help="Records that hold both directions become two rows (always kept with "
            "--all-fields).",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Decode every record of every file into one table.

    Examples:

      lenswatch flows decode flows/ --out flows.parquet

      lenswatch flows decode netflow.pcap --json | head

      lenswatch flows decode ipfix.pcap --all-fields --out fields.parquet
    """
    from contextlib import nullcontext

    from rich.console import Console

    from lenswatch.evidence.flows.writing import FlowWriter, json_lines, with_fields

    if out is None and not as_json:
        raise typer.BadParameter("give --out FILE.parquet, or --json to print the records")
    reader = _reader(files, split_biflows=split_biflows and not all_fields, all_fields=all_fields)
    rows = 0
    with FlowWriter(out) if out is not None else nullcontext() as writer:
        for table in _tables(reader):
            arrow = table.to_arrow()
            if all_fields:
                address = [item.address for item in reader.exporters]
                arrow = with_fields(table, list(reader.full_records()), address)
            rows += arrow.num_rows
            if writer is not None:
                writer.write(arrow)
            if as_json:
                for line in json_lines(arrow):
                    typer.echo(line)
        rest = list(reader.full_records()) if all_fields else []
        if rest:
            from lenswatch.evidence.flows.table import empty

            arrow = with_fields(empty(), rest, [item.address for item in reader.exporters])
            rows += arrow.num_rows
            if writer is not None:
                writer.write(arrow)
            if as_json:
                for line in json_lines(arrow):
                    typer.echo(line)
        if writer is not None:
            writer.exporters(reader.exporters)
    _report(reader)
    if out is not None:
        console = Console(stderr=True, highlight=False)
        console.print(_exporter_table(reader))
        console.print(f"{rows:,} records in {out}", markup=False)


_BY = {
    "source": ("source_high", "source_low"),
    "destination": ("destination_high", "destination_low"),
    "pair": ("source_high", "source_low", "destination_high", "destination_low"),
    "port": ("protocol", "destination_port"),
    "application": ("application",),
    "exporter": ("exporter",),
}


@app.command()
def top(
    files: Files,
    by: Annotated[
        str, typer.Option(help="source, destination, pair, port, application or exporter.")
    ] = "pair",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Rows to show.")] = 20,
    once: Annotated[
        bool, typer.Option("--once/--every-router", help="Count a flow once that several saw.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Who sent most: bytes scaled by the exporters' own sampling.

    Examples:

      lenswatch flows top flows/ --by destination

      lenswatch flows top capture.pcap --by application --json
    """
    import json

    from rich.console import Console
    from rich.table import Table

    from lenswatch.evidence.flows.summary import top_talkers

    if by not in _BY:
        raise typer.BadParameter(f"--by takes one of {', '.join(_BY)}")
    reader = _reader(files)
    rows = top_talkers(_tables(reader), reader, by, _BY[by], count, once=once)
    _report(reader)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(title=f"Top {len(rows)} by {by}", title_justify="left")
    for name in (*rows[0]["key"], "records", "packets", "bytes", "share") if rows else ():
        table.add_column(name, justify="left" if rows and name in rows[0]["key"] else "right")
    for row in rows:
        table.add_row(
            *(str(value) for value in row["key"].values()),
            f"{row['records']:,}",
            f"{row['packets']:,}",
            f"{row['octets']:,}",
            f"{100 * row['share']:.1f} %",
        )
    Console().print(table if rows else "no flow records")


@app.command()
def paths(
    files: Files,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Rows to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Flows that several routers saw, and in which order they saw them.

    Example:

      lenswatch flows paths router-a.pcap router-b.pcap
    """
    import json

    from rich.console import Console
    from rich.table import Table

    from lenswatch.evidence.flows.summary import observed_paths

    reader = _reader(files)
    rows = observed_paths(_tables(reader), reader, count)
    _report(reader)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(title="Flows seen by more than one exporter", title_justify="left")
    for name in ("source", "destination", "protocol", "bytes", "seen by, first to last"):
        table.add_column(name, justify="right" if name == "bytes" else "left")
    for row in rows:
        table.add_row(
            row["source"], row["destination"], str(row["protocol"]), f"{row['octets']:,}",
            " → ".join(row["path"]),
        )  # fmt: skip
    Console().print(table if rows else "no flow was seen by more than one exporter")
