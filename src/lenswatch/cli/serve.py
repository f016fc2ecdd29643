"""``lenswatch serve``: the API and the pages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lenswatch.cli._service import DatabaseOption, DataOption, EvidenceOption, data_directory


def serve(
    data: DataOption = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. The default answers this machine only.",
            envvar="LENSWATCH_HOST",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            help="Port to listen on; 0 takes a free one.",
            min=0,
            max=65535,
            envvar="LENSWATCH_PORT",
        ),
    ] = 8300,
    database: DatabaseOption = "",
    parallel_audits: Annotated[
        int, typer.Option(help="Audits that run at the same time.", min=1, max=64)
    ] = 1,
    threads: Annotated[int, typer.Option(help="Threads inside one audit.", min=1, max=256)] = 2,
    behind_https: Annotated[
        bool,
        typer.Option(
            "--behind-https",
            help="A proxy in front speaks HTTPS: trust its X-Forwarded headers, and let browsers "
            "send their session over HTTPS only.",
        ),
    ] = False,
    oidc_issuer: Annotated[
        str,
        typer.Option(
            help="Address of an OpenID Connect provider whose tokens are believed. Empty: none.",
            envvar="LENSWATCH_OIDC_ISSUER",
        ),
    ] = "",
    oidc_audience: Annotated[
        str,
        typer.Option(
            help="What its tokens must have as audience.", envvar="LENSWATCH_OIDC_AUDIENCE"
        ),
    ] = "",
    oidc_client_id: Annotated[
        str,
        typer.Option(
            help="What the provider calls this service when people sign in to the pages; its "
            "secret is in LENSWATCH_OIDC_CLIENT_SECRET. Empty: API keys only.",
            envvar="LENSWATCH_OIDC_CLIENT_ID",
        ),
    ] = "",
    evidence: EvidenceOption = "",
    live_scope: Annotated[
        Path | None,
        typer.Option(
            "--live-scope",
            help="YAML file with the networks in which audits may ask live devices. Without: none.",
            envvar="LENSWATCH_LIVE_SCOPE",
        ),
    ] = None,
    new_admin_key: Annotated[
        bool,
        typer.Option(
            "--new-admin-key", help="Make and print another admin key, then go on. For lost keys."
        ),
    ] = False,
    new_operator_key: Annotated[
        bool,
        typer.Option(
            "--new-operator-key",
            help="Make and print a key that makes tenants and sees nothing of them.",
        ),
    ] = False,
) -> None:
    """Run the service: audits through an API, and pages.

    On the first start it prints an API key of role admin, once. Keep it: only its hash is stored.

    Examples:

      lenswatch serve

      lenswatch serve --data /srv/lenswatch --port 8080

      lenswatch serve --host 0.0.0.0 --behind-https --database postgresql://lenswatch@db/lenswatch

    Limits are set through the environment, for example
    LENSWATCH_LIMIT_ARCHIVE_BYTES=1000000000; docs/api.md lists them all.

    Exit code 2: an option, the data directory or the database cannot be used.
    """
    from lenswatch.errors import UsageError
    from lenswatch_api.authorization import Role
    from lenswatch_api.oidc import OidcSettings
    from lenswatch_api.server import run
    from lenswatch_api.settings import Settings, limits_from_environment

    if new_admin_key and new_operator_key:
        raise UsageError("--new-admin-key and --new-operator-key: one at a time")
    run(
        Settings(
            data=data_directory(data),
            database_url=database,
            parallel_audits=parallel_audits,
            audit_threads=threads,
            secure_cookies=behind_https,
            oidc=OidcSettings(
                oidc_issuer,
                oidc_audience,
                client_id=oidc_client_id,
                client_secret=os.environ.get("LENSWATCH_OIDC_CLIENT_SECRET", ""),
            )
            if oidc_issuer
            else None,
            evidence_url=evidence,
            live_scope=live_scope,
            limits=limits_from_environment(),
        ),
        host=host,
        port=port,
        new_key=Role.ADMIN if new_admin_key else Role.OPERATOR if new_operator_key else None,
    )
