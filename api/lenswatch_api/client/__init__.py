"""A typed client of the service. Its types are the service's own, so the two cannot drift apart.

::

    from lenswatch_api.client import Client
    from lenswatch_api.deployments.schemas import NewDeployment

    with Client("https://audits.rivertown.example", key) as client:
        deployment = client.create_deployment(NewDeployment(name="Rivertown"))

Every operation of ``/api/v1/openapi.json`` is a method of :class:`Client` of the same name.
:mod:`lenswatch_api.client.transfers` does what takes several: send a folder, follow an audit,
fetch its reports.
"""

from __future__ import annotations

from lenswatch_api.client.operations import Client
from lenswatch_api.client.transport import ServiceError, ServiceUnreachable

__all__ = ["Client", "ServiceError", "ServiceUnreachable"]
