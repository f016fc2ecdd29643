"""``lenswatch faces``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def faces(
    files: Annotated[
        list[str], typer.Argument(help="Videos, pictures or rtsp:// addresses.", metavar="FILE...")
    ],
    json_out: Annotated[
        Path | None, typer.Option("--json", help="File for the frames, as JSON.", metavar="OUT")
    ] = None,
    mode: Annotated[
        str, typer.Option(help="fast looks once; thorough also at larger sizes, for small faces.")
    ] = "fast",
    detector: Annotated[
        str, typer.Option(help="centerface, or an ONNX file of YuNet's kind.")
    ] = "centerface",
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Look at all of every frame; skip nothing.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after this time; live streams need it.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            help="Folder for pictures of what was found: faces filled in, the rest too coarse to "
            "show any.",
            metavar="FOLDER",
        ),
    ] = None,
) -> None:
    """Find faces and masks in videos and pictures, frame by frame.

    The JSON holds for each frame that was looked at its time, boxes [x, y, w, h, score] in px, the
    distance between the eyes in px, what was done to each face (none, blur, mosaic, solid,
    not-observable), and masked regions. It says what was skipped and what was damaged. No picture
    of a face is kept, and nothing by which one could be recognised.

    Exit codes: 0 all files were read, 3 some could not be, 2 the call is wrong.

    Example: lenswatch faces gate.mp4 --json gate.json
    """
    from lenswatch.errors import EvidenceError, UsageError
    from lenswatch.evidence.video.detectors import open_detector
    from lenswatch.evidence.video.frames_json import FramesWriter

    if mode not in ("fast", "thorough"):
        raise UsageError(f"--mode {mode}: it is either fast or thorough")
    if any("://" in name for name in files) and seconds is None:
        raise UsageError("a live stream does not end: say --seconds")
    opened = open_detector(detector)
    if preview is not None:
        preview.mkdir(parents=True, exist_ok=True)
    failed = False
    with FramesWriter(json_out, opened, mode, every_frame=every_frame, preview=preview) as writer:
        for name in files:
            try:
                summary = writer.add(name, seconds=seconds)
            except EvidenceError as error:
                failed = True
                typer.echo(f"lenswatch: {error}", err=True)
                continue
            typer.echo(summary)
    raise typer.Exit(3 if failed else 0)
