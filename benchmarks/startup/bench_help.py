"""``lenswatch --help`` against a typer program that says hello."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.comparison import Comparison, compare

HELLO = """
import typer
app = typer.Typer()

@app.command()
def hello(name: str = "world") -> None:
    "Greet somebody."
    typer.echo(f"Hello {name}")

app()
"""


def run(quick: bool) -> list[Comparison]:
    """Whole processes, as a person waits for them."""

    def call(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments, "--help"], capture_output=True, text=True, check=True
        ).stdout

    return [
        compare(
            "lenswatch --help",
            "typer hello-world --help",
            lambda: call("-c", "from lenswatch.cli import main; main()"),
            lambda: call("-c", HELLO),
            repeats=5 if quick else 15,
            goal=1 / 1.5,
        )
    ]
