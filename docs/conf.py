"""Sphinx settings. Warnings are errors: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

import _generate  # noqa: E402  (found through the line above)

from lenswatch import __version__  # noqa: E402

_generate.write_all(DOCS / "_build" / "generated")

project = "lenswatch"
author = "The lenswatch team"
project_copyright = "The lenswatch team, Apache-2.0"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "colon_fence", "fieldlist"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "_generate.py"]
nitpicky = True

html_theme = "furo"
html_title = f"lenswatch {release}"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
