"""The command line. Commands load what they need when they run: ``--help`` stays quick."""

from __future__ import annotations

from typing import Annotated

import typer

from lenswatch import __version__
from lenswatch.cli import (
    audit,
    backup,
    certify,
    collect,
    compare,
    demo,
    faces,
    fetch,
    flows,
    plan,
    policy,
    probe,
    publish,
    recordings,
    register,
    serve,
    simulate,
    suite,
    validate,
    verify,
)

app = typer.Typer(
    name="lenswatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Audit camera networks: does a deployment capture faces, how long does it keep them, and "
        "where do they go?\n\nStart with `lenswatch demo`. Exit codes of an audit: 0 all pass, "
        "1 something fails, 3 something could not be checked, 2 the input is unusable."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lenswatch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("validate")(validate.validate)
app.command("audit")(audit.audit)
app.command("fetch")(fetch.fetch)
app.command("simulate")(simulate.simulate)
app.command("faces")(faces.faces)
app.command("probe")(probe.probe)
app.add_typer(policy.app, name="policy")
app.add_typer(flows.app, name="flows")
app.command("collect")(collect.collect)
app.command("plan")(plan.plan)
app.command("certify")(certify.certify)
app.command("verify")(verify.verify)
app.command("compare")(compare.compare)
app.command("publish")(publish.publish)
app.command("serve")(serve.serve)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("recordings")(recordings.recordings)
app.add_typer(register.app, name="register")
app.add_typer(suite.app, name="suite")


def main() -> None:
    """Entry point: turns errors meant for people into one line and exit code 2."""
    from lenswatch.errors import LenswatchError

    try:
        app()
    except LenswatchError as error:
        typer.echo(f"lenswatch: {error}", err=True)
        raise SystemExit(2) from None
    except BrokenPipeError:
        raise SystemExit(141) from None
