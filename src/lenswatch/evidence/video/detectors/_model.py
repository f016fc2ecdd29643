"""Loading ONNX files so that they run on pictures of any size, always with the same result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenswatch.errors import EvidenceError

if TYPE_CHECKING:
    import onnxruntime

LARGEST_FILE = 256 << 20
"""Bytes. A detector that fits the purpose is far below; more is a mistake or an attack."""


def load_model(path: Path) -> Any:
    """Parse an ONNX file; raises :class:`EvidenceError` where it is none."""
    import onnx

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise EvidenceError(
                "larger than 256 MiB", file=path.name, remedy="name the ONNX file of a detector"
            )
        return onnx.load(path, load_external_data=False)
    except OSError as error:
        raise EvidenceError(
            f"cannot be opened ({error.strerror})", file=path.name, remedy="check the path"
        ) from error
    except EvidenceError:
        raise
    except Exception as error:  # protobuf's own tree of errors, which onnx does not export
        raise EvidenceError(
            "not an ONNX model", file=path.name, remedy="name the ONNX file of a detector"
        ) from error


def free_shapes(model: Any) -> None:
    """Let batch, height and width vary, and let onnxruntime fold constants. Changes ``model``.

    Old exporters list every weight as a graph input as well. A weight that is an input might be
    replaced by the caller, so onnxruntime does not fold the BatchNorms into the convolutions;
    taking the weights off the list makes CenterFace 2.1 times as fast (outputs differ by 8e-6).
    """
    weights = {initializer.name for initializer in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for position, dim in enumerate(dims):
            if position != 1 or len(dims) < 4:
                dim.dim_param = f"{value.name}_{position}"
    del model.graph.value_info[:]


def open_session(model: Any, name: str) -> onnxruntime.InferenceSession:
    """A session on one thread: sums are added in one order whatever the machine.

    Callers that have cores to spare open further sessions over other cameras.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # The arena keeps the largest picture's buffers, and patterns one plan for every size met.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises a tree of its own, rooted in Exception
        raise EvidenceError(
            "onnxruntime cannot run this model", file=name, remedy="export it again as float32 ONNX"
        ) from error
