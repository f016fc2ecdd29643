"""``lenswatch collect``: a UDP collector that writes into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenswatch.errors import UsageError


def _listen(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    host = host.strip("[]")
    if not separator or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise typer.BadParameter("give ADDRESS:PORT, such as 0.0.0.0:2055 or [::]:4739")
    return host or "0.0.0.0", int(port)  # noqa: S104  (a collector is there to be reached)


def collect(
    listen: Annotated[
        str, typer.Option("--listen", "-l", help="ADDRESS:PORT to listen on (UDP).")
    ] = "0.0.0.0:2055",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the files; a bundle's flows/ folder.")
    ] = Path("flows"),
    rotate: Annotated[
        float, typer.Option(help="Seconds after which a file is finished.", min=1.0)
    ] = 60.0,
    duration: Annotated[
        float | None, typer.Option(help="Stop after this many seconds; else on Ctrl-C.", min=0.1)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as JSON.")] = False,
) -> None:
    """Collect NetFlow v5/v9, IPFIX and sFlow from routers into Parquet files.

    Files appear whole, one every --rotate seconds. Ctrl-C or SIGTERM ends it without losing what
    has arrived. Point several routers at it: exporters are told apart by address.

    Example:

      lenswatch collect --listen 0.0.0.0:2055 --out bundle/flows
    """
    import dataclasses
    import json
    import signal

    from rich.console import Console

    from lenswatch.evidence.flows.collector import Collector

    host, port = _listen(listen)
    console = Console(stderr=True, highlight=False)
    try:
        collector = Collector(
            out,
            host,
            port,
            rotate_s=rotate,
            on_rotate=lambda path: console.print(f"wrote {path}", markup=False),
        )
    except OSError as error:
        raise UsageError(f"cannot listen on {listen}: {error.strerror}") from error
    previous = {
        number: signal.signal(number, lambda *_: collector.stop())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    console.print(f"listening on {host} port {collector.port} (UDP)", markup=False)
    try:
        status = collector.run(duration)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(status)))
        return
    console.print(
        f"{status.records:,} records in {status.datagrams:,} datagrams from "
        f"{len(status.exporters) or 'all'} exporters, {status.files} files; "
        f"{status.dropped_datagrams:,} datagrams dropped by the system, "
        f"{status.unknown_datagrams:,} were no flow export",
        markup=False,
    )
