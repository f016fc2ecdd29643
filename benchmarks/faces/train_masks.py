"""Trains the network that finds masked regions and writes it as ONNX.

Needs PyTorch, which the project itself never does: ``uv pip install torch`` somewhere and put it on
PYTHONPATH. One core, about 35 minutes. Usage:

    python -m benchmarks.faces.train_masks PHOTOS BACKGROUNDS OUT.onnx

PHOTOS holds ``images/`` and ``labels.json`` (name to boxes), BACKGROUNDS pictures without people.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from benchmarks.faces.mask_samples import SIDE, Sampler
from benchmarks.faces.masked_photos import SPLITS, Mask, Photo, load_backgrounds, load_photos
from lenswatch_kernels.traces import CHANNELS, KINDS, STRIDE, cell_traces

BATCH = 8
_CELLS = SIDE // STRIDE


def conv(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution with its normalisation and rectifier."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def thin(inside: int, outside: int, size: int = 5, stride: int = 1) -> nn.Sequential:
    """A convolution a channel, then one that mixes channels."""
    return nn.Sequential(conv(inside, inside, size, stride, inside), conv(inside, outside, 1))


class Network(nn.Module):
    """Judges squares of 8 px by the traces in cells of 4 px around them, over 300 px and more."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(CHANNELS, 24, 3)
        self.eighth = nn.Sequential(conv(24, 40, 3, 2), conv(40, 40, 3))
        self.sixteenth = nn.ModuleList([thin(40, 64, 5, 2), thin(64, 64), thin(64, 64)])
        self.half_again = nn.ModuleList([thin(64, 80, 5, 2), *(thin(80, 80) for _ in range(3))])
        self.up_sixteenth = conv(80, 64, 1)
        self.mix_sixteenth = thin(64, 64, 3)
        self.up_eighth = conv(64, 40, 1)
        self.mix_eighth = conv(40, 40, 3)
        self.head = nn.Sequential(thin(40, 48, 3), nn.Conv2d(48, KINDS + 5, 1))
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        with torch.no_grad():
            last.bias[:KINDS] = -4.0  # masks are rare
            last.bias[KINDS : KINDS + 4] = 0.7

    def forward(self, traces: torch.Tensor) -> torch.Tensor:
        """Logits of the kinds, log distances, log pixels left: (n, 8, h / 2, w / 2)."""
        eighth = self.eighth(self.stem(traces))
        sixteenth = self.sixteenth[0](eighth)
        for layer in list(self.sixteenth)[1:]:
            sixteenth = sixteenth + layer(sixteenth)
        low = self.half_again[0](sixteenth)
        for layer in list(self.half_again)[1:]:
            low = low + layer(low)
        up = functional.interpolate(self.up_sixteenth(low), scale_factor=2.0, mode="nearest")
        sixteenth = self.mix_sixteenth(sixteenth + up)
        up = functional.interpolate(self.up_eighth(sixteenth), scale_factor=2.0, mode="nearest")
        result: torch.Tensor = self.head(self.mix_eighth(eighth + up))
        return result


class Export(nn.Module):
    """The network with scores instead of logits."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, traces: torch.Tensor) -> torch.Tensor:
        """Shape (n, 8, h / 2, w / 2), planes as ``decode_regions`` takes them."""
        out = self.network(traces)
        return torch.cat([torch.sigmoid(out[:, :KINDS]), out[:, KINDS:]], 1)


def targets(masks: list[Mask], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(9, cells, cells): what the network should say, and last what counts: 0 no, 1 as background,
    2 as a mask."""
    result = np.zeros((KINDS + 6, _CELLS, _CELLS), np.float32)
    result[-1, : -(-shape[0] // STRIDE), : -(-shape[1] // STRIDE)] = 1.0
    middle = (np.arange(_CELLS) + 0.5) * STRIDE
    for mask in sorted(masks, key=lambda m: -m.box[2] * m.box[3]):
        x, y, w, h = mask.box
        across, down = np.abs(middle - x - w / 2), np.abs(middle - y - h / 2)
        inside = (down[:, None] < h / 2) & (across[None] < w / 2)
        result[-1][inside] = 0.0
        result[:KINDS, inside] = 0.0
        if mask.kind < 0:
            # Nor does its surroundings count: a box that nothing shows may be judged either way.
            result[-1][(down[:, None] < h * 0.6) & (across[None] < w * 0.6)] = 0.0
            continue
        core = (down[:, None] <= max(h * 0.27, STRIDE / 2)) & (
            across[None] <= max(w * 0.27, STRIDE / 2)
        )
        rows, columns = np.nonzero(core)
        result[mask.kind, rows, columns] = 1.0
        sides = np.stack(
            [
                middle[columns] - x,
                middle[rows] - y,
                x + w - middle[columns],
                y + h - middle[rows],
            ]
        )
        result[KINDS : KINDS + 4, rows, columns] = np.log(np.maximum(sides / STRIDE, 0.1))
        result[KINDS + 4, rows, columns] = math.log(mask.left) if mask.left > 0 else np.nan
        result[-1, rows, columns] = 2.0
    return result


def loss_of(out: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Focal loss of the kinds, overlap and distance of the boxes, distance of the pixels left."""
    counts = wanted[:, -1]
    kinds = wanted[:, :KINDS]
    logits = out[:, :KINDS]
    plain = functional.binary_cross_entropy_with_logits(logits, kinds, reduction="none")
    score = torch.sigmoid(logits)
    wrong = kinds * (1 - score) + (1 - kinds) * score
    # Other kinds are background where a mask is, and count as such.
    valid = (counts > 0)[:, None]
    positives = (counts == 2).sum().clamp(min=4)
    weight = torch.where(kinds > 0, 0.4, 0.6) * wrong**2
    focal = (plain * weight * valid).sum() / positives * 2
    mask = counts == 2
    if not bool(mask.any()):
        return focal
    said = out[:, KINDS : KINDS + 4].permute(0, 2, 3, 1)[mask].clamp(-4, 6)
    true = wanted[:, KINDS : KINDS + 4].permute(0, 2, 3, 1)[mask]
    a, b = torch.exp(said), torch.exp(true)
    common = torch.minimum(a, b)
    area = (common[:, 0] + common[:, 2]) * (common[:, 1] + common[:, 3])
    either = (a[:, 0] + a[:, 2]) * (a[:, 1] + a[:, 3]) + (b[:, 0] + b[:, 2]) * (b[:, 1] + b[:, 3])
    overlap = area / (either - area)
    box = (1 - overlap).mean() + 0.3 * functional.smooth_l1_loss(said, true)
    left = wanted[:, KINDS + 4][mask]
    known = ~torch.isnan(left)
    strength = out.new_zeros(())
    if bool(known.any()):
        strength = functional.smooth_l1_loss(out[:, KINDS + 4][mask][known], left[known], beta=0.1)
    return focal + box + 0.3 * strength


def take_over(network: Network, path: Path) -> None:
    """Weights of an exported network, in which the normalisations are folded into convolutions."""
    model: Any = onnx.load(path)
    values = {value.name: onnx.numpy_helper.to_array(value) for value in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for node, layer in zip(nodes, layers, strict=True):
            layer.weight.copy_(torch.tensor(values[node.input[1]]))
        for node, norm in zip(nodes, norms, strict=False):
            norm.bias.copy_(torch.tensor(values[node.input[2]]))
            norm.running_var.fill_(1.0 - norm.eps)  # type: ignore[union-attr]
        last = layers[-1].bias
        assert last is not None
        last.copy_(torch.tensor(values[nodes[-1].input[2]]))


def photos_of(args: argparse.Namespace) -> list[Photo]:
    """Photos to train with; simulated ones are a quarter of them where there are any."""
    photos = load_photos(args.photos, "train")
    if args.simulated is None:
        return photos
    simulated = [photo for split in SPLITS for photo in load_photos(args.simulated, split)]
    return photos + [simulated[i % len(simulated)] for i in range(len(photos) // 3)]


def train(args: argparse.Namespace) -> Network:
    """The averaged network after the last step."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    sampler = Sampler(photos_of(args), load_backgrounds(args.backgrounds, "train"), args.seed)
    network, average = Network(), Network()
    if args.start is not None:
        take_over(network, args.start)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=args.rate, total_steps=args.steps, pct_start=0.1
    )
    # Weights that were taken over have no statistics left to normalise by.
    network.train(args.start is None)
    start, making, total = time.monotonic(), 0.0, 0.0
    for step in range(args.steps):
        before = time.monotonic()
        traces = np.zeros((BATCH, CHANNELS, SIDE // 4, SIDE // 4), np.float32)
        wanted = np.zeros((BATCH, KINDS + 6, _CELLS, _CELLS), np.float32)
        for i in range(BATCH):
            picture, masks = sampler.sample()
            cells = cell_traces(picture)[0]
            traces[i, :, : cells.shape[1], : cells.shape[2]] = cells
            wanted[i] = targets(masks, picture.shape[:2])
        making += time.monotonic() - before
        loss = loss_of(network(torch.from_numpy(traces)), torch.from_numpy(wanted))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        keep = min(0.995, step / (step + 10))
        with torch.no_grad():
            ours, theirs = average.state_dict(), network.state_dict()
            for name, value in ours.items():
                if value.dtype.is_floating_point:
                    value.mul_(keep).add_(theirs[name], alpha=1 - keep)
                else:
                    value.copy_(theirs[name])
        total += float(loss.detach())
        if (step + 1) % 50 == 0:
            spent = time.monotonic() - start
            print(f"{step + 1} {total / 50:.3f} {spent:.0f} s, {making:.0f} s samples", flush=True)
            total = 0.0
        if (step + 1) % 250 == 0:
            export(average, args.out)
    return average


def export(network: Network, path: Path) -> None:
    """Write ONNX with normalisations folded into the convolutions; prints its digest."""
    network.eval()
    example = torch.zeros(1, CHANNELS, SIDE // 4, SIDE // 4)
    with torch.no_grad():
        torch.onnx.export(
            Export(network),
            (example,),
            str(path),
            input_names=["traces"],
            output_names=["regions"],
            dynamic_axes={"traces": {2: "rows", 3: "columns"}, "regions": {2: "h", 3: "w"}},
            dynamo=False,
            opset_version=17,
        )
    model: Any = onnx.load(path)
    onnx.checker.check_model(model)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{path}: {path.stat().st_size} bytes, sha256 {digest}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=4e-3, help="greatest learning rate")
    parser.add_argument("--simulated", type=Path, help="simulated pictures, laid out as PHOTOS")
    parser.add_argument("--start", type=Path, help="an exported network to go on from")
    args = parser.parse_args()
    export(train(args), args.out)


if __name__ == "__main__":
    main()
