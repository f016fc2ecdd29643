"""``lenswatch plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def plan(
    population: Annotated[
        int | None, typer.Option("--population", help="Number of cameras.", min=1)
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", help="Take the cameras from this bundle's inventory.", exists=True
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option("--share", help="Claim: at most this share of the cameras is bad, 0 to 1."),
    ] = 0.01,
    level: Annotated[float, typer.Option("--level", help="Confidence, 0 to 1.")] = 0.95,
    failures: Annotated[
        int, typer.Option("--failures", help="Plan for up to so many bad cameras.", min=0, max=100)
    ] = 2,
    time_share: Annotated[
        float,
        typer.Option(
            "--time-share", help="A camera is bad if faces are in view for this share of the time."
        ),
    ] = 0.05,
    reach_cost: Annotated[
        float,
        typer.Option("--reach-cost", help="What reaching a camera costs, in frames.", min=0),
    ] = 100.0,
    validated: Annotated[
        str,
        typer.Option(
            "--validated",
            help="FOUND/SHOWN: bad cameras that the detector found, of those it was shown. "
            "A fifth of the error is spent on what follows for its sensitivity.",
        ),
    ] = "",
    randomness: Annotated[
        str,
        typer.Option(
            "--randomness",
            help="Public randomness in hexadecimal, drawn after the inventory was committed to. "
            "With --bundle: prints the cameras to examine, in order.",
        ),
    ] = "",
    nonce: Annotated[
        str,
        typer.Option("--nonce", help="Nonce of the commitment in hexadecimal, with --randomness."),
    ] = "",
    audited: Annotated[
        Path | None,
        typer.Option(
            "--audited",
            help="Folder of an audit of the first cameras drawn, with --randomness: says whether "
            "the claim is decided, and if not how many more cameras would decide it.",
        ),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            help="Control that says which camera is bad; may be given several times, and the error "
            "is shared out over all claims. Default: core/face-captured.",
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many cameras an audit by sample must examine, draw them, and when to stop.

    Two sizes: one for an auditor who may look at the results and stop at any time, one for a number
    fixed beforehand. With --bundle the inventory's Merkle root is printed: publish the commitment
    made from it first, and draw the public randomness after. With --audited the same command says
    after each camera whether the audit can stop.

    The plan with --json is a file that `lenswatch audit` reads: as plan.json in the bundle, or
    given with --plan.
    """
    from lenswatch.errors import UsageError
    from lenswatch.scoring.planning import plan_sizes

    if (population is None) == (bundle is None):
        raise UsageError("give either --population or --bundle")
    for name, value in (("--share", share), ("--level", level), ("--time-share", time_share)):
        if not 0.0 < value < 1.0:
            raise UsageError(f"{name} lies between 0 and 1, without either")
    cameras = None if bundle is None else _cameras(bundle)
    if cameras is not None and not cameras:
        raise UsageError("the inventory has no camera")
    number = population if cameras is None else len(cameras)
    assert number is not None
    content = plan_sizes(
        number,
        list(dict.fromkeys(control or ["core/face-captured"])),
        share=share,
        level=level,
        failures=failures,
        time_share=time_share,
        reach_cost=reach_cost,
        validated=_validated(validated),
    )
    if cameras is not None:
        content |= _drawn(cameras, content["sizes"][0]["any_time"], randomness, nonce)
    elif randomness:
        raise UsageError("--randomness draws from an inventory: give --bundle")
    if audited is not None:
        if cameras is None or "cameras" not in content:
            raise UsageError("--audited judges a draw: give --bundle, --randomness and --nonce")
        content["stands"] = _stands(content, cameras, audited)
        content["stand"] = content["stands"][0]
    if json_output:
        import json

        typer.echo(json.dumps(content, indent=2))
    else:
        _show(content)


def _cameras(bundle: Path) -> list[str]:
    from lenswatch.evidence.bundle import open_bundle

    inventory = open_bundle(bundle).inventory
    return [str(inventory.node_id[row]) for row in inventory.cameras]


def _validated(text: str) -> tuple[int, int] | None:
    """Bad cameras that the detector found, and was shown."""
    from lenswatch.errors import UsageError

    if not text:
        return None
    found, slash, shown = text.partition("/")
    if not (slash and found.isdecimal() and shown.isdecimal() and int(shown) >= int(found)):
        raise UsageError("--validated is FOUND/SHOWN, such as 290/300")
    if int(found) == 0:
        raise UsageError("a detector that found none of the bad cameras can certify nothing")
    return int(found), int(shown)


def _drawn(cameras: list[str], size: int | None, randomness: str, nonce: str) -> dict[str, Any]:
    from lenswatch.errors import UsageError
    from lenswatch.scoring import inventory_root
    from lenswatch.scoring.planning import plan_draw

    root = inventory_root(cameras)
    if not randomness:
        return {"inventory_root": root.hex()}
    try:
        return plan_draw(
            cameras,
            root,
            size,
            nonce=bytes.fromhex(nonce),
            randomness=bytes.fromhex(randomness),
        )
    except ValueError as error:
        raise UsageError(
            f"--randomness and --nonce are hexadecimal, 16 bytes or more ({error})"
        ) from None


def _stands(content: dict[str, Any], cameras: list[str], audited: Path) -> list[dict[str, Any]]:
    """Where each claim stands after the cameras that were audited, in the order of the draw."""
    from dataclasses import asdict

    import numpy as np

    from lenswatch.errors import UsageError
    from lenswatch.reports.json_reader import find_result, read_verdicts
    from lenswatch.scoring import Sample, judge_claim

    sample = Sample(
        tuple(content["cameras"]),
        content["sample_level"],
        content["sensitivity"],
        content["share"],
        tuple(content["controls"]),
    )
    verdicts: dict[str, dict[str, str]] = {control: {} for control in sample.controls}
    for verdict in read_verdicts(find_result(audited)):
        if verdict["control"] in verdicts:
            verdicts[verdict["control"]][verdict["subject"]] = verdict["verdict"]
    stands = []
    for control, told in verdicts.items():
        if not told:
            raise UsageError(f"the audit has no verdict of {control}: name one of its controls")
        about = [name for name in cameras if told.get(f"node:{name}") != "not-applicable"]
        applies = set(about)
        drawn = [name for name in sample.nodes if name in applies]
        claim = judge_claim(
            control,
            drawn,
            np.array([told.get(f"node:{name}") == "pass" for name in drawn], np.bool_),
            np.array([told.get(f"node:{name}") == "fail" for name in drawn], np.bool_),
            population=len(about),
            sample=sample,
            answered=sum(told.get(f"node:{name}") in ("pass", "fail") for name in about),
        )
        stands.append(asdict(claim))
    return stands


def _show(content: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        f"Claim: at most {_percent(content['share'])} of {content['population']:,} cameras are "
        f"bad, with {_percent(content['level'])} confidence."
    )
    if content["sensitivity"] != 1.0:
        console.print(
            f"The detector finds at least {_percent(content['sensitivity'])} of the bad ones."
        )
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("Bad cameras found", justify="right")
    table.add_column("Cameras, stopping at any time", justify="right")
    table.add_column("Cameras, number fixed beforehand", justify="right")
    for row in content["sizes"]:
        table.add_row(str(row["failures"]), _number(row["any_time"]), _number(row["fixed"]))
    console.print(table)
    two = content["two_stage"]
    console.print(
        f"One camera: {content['frames_for_one_camera']} randomly timed frames without a face rule "
        f"out faces for {_percent(two['time_share'])} of the time."
    )
    console.print(
        f"Least effort, where reaching a camera costs {two['reach_cost']:g} frames: "
        f"{two['frames']} frames of each of {two['cameras']:,} cameras."
    )
    if "inventory_root" in content:
        console.print(f"Merkle root of the inventory: {content['inventory_root']}", soft_wrap=True)
    if "cameras" in content:
        console.print(f"Commitment: {content['commitment']}", soft_wrap=True)
        console.print(f"Seed: {content['seed']}", soft_wrap=True)
        if "stands" in content:
            for stand in content["stands"]:
                _show_stand(console, stand, content["share"])
            return
        console.print("Examine, in this order:")
        for camera in content["cameras"]:
            typer.echo(camera)


def _show_stand(console: Any, stand: dict[str, Any], share: float) -> None:
    console.print(
        f"{stand['control']}: of the first {stand['looked_at']:,} cameras {stand['failed']} are "
        f"bad and {stand['unchecked']} could not be checked. Of all, {_percent(stand['lower'])} to "
        f"{_percent(stand['upper'])} are bad."
    )
    if stand["passed_over"]:
        console.print(
            f"Without an answer, and counted as bad: {', '.join(stand['passed_over'])}",
            soft_wrap=True,
        )
    if stand["decision"] == "certified":
        console.print(f"Certified: at most {_percent(share)} are bad. The audit can stop.")
    elif stand["decision"] == "refuted":
        console.print(f"Refuted: more than {_percent(share)} are bad. The audit can stop.")
    elif stand["more"] is None:
        console.print("Open: not even all the rest, all good, would certify the claim.")
    else:
        console.print(f"Open: {stand['more']:,} more cameras, all good, would certify the claim.")


def _percent(value: float) -> str:
    return f"{100 * value:.4g} %"


def _number(value: int | None) -> str:
    return "not possible" if value is None else f"{value:,}"
