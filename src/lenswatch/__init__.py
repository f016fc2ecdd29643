"""lenswatch audits camera networks and keeps nobody's face while doing so.

Importing this package loads nothing heavy: numba, OpenCV and onnxruntime come in only with the
module that needs them.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
