"""``lenswatch probe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def probe(
    pcap: Annotated[
        Path, typer.Option("--pcap", exists=True, dir_okay=False, help="Capture of the camera.")
    ],
    stimulus: Annotated[
        Path,
        typer.Option(
            "--stimulus",
            exists=True,
            dir_okay=False,
            help="CSV with time (RFC 3339 or seconds since 1970) and face (true or false).",
        ),
    ],
    camera: Annotated[
        str | None,
        typer.Option(help="Address of the camera. Default: the private address that sends most."),
    ] = None,
    significance: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Greatest p-value that counts as a reaction.")
    ] = 0.01,
    json_output: Annotated[
        Path | None, typer.Option("--json", help="Write the measurement to this file.")
    ] = None,
) -> None:
    """One camera, one capture: does it upload when a face appears?

    Nothing is decrypted. Show the camera at least twenty events at irregular moments over ten
    minutes or more, half of them with a face and half with motion only, and write down when each
    began. Both clocks must agree within a few seconds.

    Exit codes: 1 the traffic follows the events, 0 it does not, 3 the evidence cannot tell, 2 the
    input is unusable.

    Example: lenswatch probe --pcap camera.pcap --stimulus shown.csv --camera 192.168.1.20
    """
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from lenswatch.evidence.captures import read_sent_packets
    from lenswatch.evidence.stimuli import read_stimuli
    from lenswatch.measurements.onset import Trigger, measure_onset

    sent = read_sent_packets(pcap, camera)
    found = measure_onset(
        sent.second,
        sent.octets,
        sent.receiver,
        read_stimuli(stimulus),
        significance=significance,
    )
    console = Console()
    console.print(found.reason, style="bold", markup=False)
    console.print(
        f"p = {found.p_value:.4f} over {len(found.receivers)} receivers, {found.events} events in "
        f"{found.seconds:.0f} s"
        + ("" if found.p_face is None else f"; face against motion p = {found.p_face:.4f}")
        + ".",
        markup=False,
    )
    if found.trigger not in (Trigger.NONE, Trigger.NOT_OBSERVABLE):
        table = Table("receiver", "p", "after", "bytes an event", show_edge=False, pad_edge=False)
        for item in found.receivers:
            if item.p_value < significance:
                table.add_row(
                    str(sent.receivers[item.receiver]),
                    f"{item.p_value:.4f}",
                    f"{item.lag_s:.1f} s",
                    f"{item.octets_per_event:,.0f}",
                )
        console.print(table)
    if sent.broken_at >= 0:
        console.print(f"The capture breaks off at byte {sent.broken_at}.", style="yellow")
    if json_output is not None:
        content = asdict(found)
        # only receivers that the finding is about are named; the others are bystanders
        content["receivers"] = [
            asdict(item) | {"receiver": str(sent.receivers[item.receiver])}
            for item in found.receivers
            if item.p_value < significance
        ]
        json_output.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    codes = {Trigger.NONE: 0, Trigger.NOT_OBSERVABLE: 3}
    raise typer.Exit(codes.get(found.trigger, 1))
