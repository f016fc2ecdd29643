"""The client: one method an operation of the service, of the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from lenswatch_api.audits.schemas import Audit, AuditQuery, NewAudit, Progress
from lenswatch_api.bundles.schemas import Bundle
from lenswatch_api.certificates.schemas import (
    Answer,
    Certificate,
    CertificateStatement,
    Checkpoint,
    ConsistencyProof,
    EarlierCheckpoint,
    InclusionProof,
    NewCertificate,
    Question,
)
from lenswatch_api.client.transport import PREFIX, Transport, events
from lenswatch_api.comparisons.schemas import Comparison, ComparisonQuery
from lenswatch_api.deployments.schemas import Deployment, NewDeployment
from lenswatch_api.findings.schemas import Finding, FindingQuery, Score, VerdictCounts
from lenswatch_api.ingest.capture import BATCH
from lenswatch_api.ingest.schemas import Exporter, FlowDelivery, NewFlowBundle
from lenswatch_api.keys.schemas import Key, NewKey, NewKeySecret
from lenswatch_api.operations.schemas import Access, Health, Readiness
from lenswatch_api.packs.schemas import Pack
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.plans.schemas import Draw, NewPlan, Plan, Stand, StandQuery
from lenswatch_api.reports.schemas import Report
from lenswatch_api.suites.schemas import Board, NewSuiteResult, Suite, SuiteResult
from lenswatch_api.tenants.schemas import MadeTenant, NewTenant, Tenant
from lenswatch_api.uploads.schemas import Upload
from lenswatch_api.views.schemas import EndUse, Map, Retention, Sink

Item = TypeVar("Item")
Query = TypeVar("Query", bound=PageQuery)
Made = TypeVar("Made")

_PIECE = "application/offset+octet-stream"


def every(listing: Callable[[Query], Page[Item]], query: Query) -> Iterator[Item]:
    """All items of a list, page by page: ``every(client.list_audits, AuditQuery(limit=500))``."""
    while True:
        page = listing(query)
        yield from page.items
        if page.next is None:
            return
        query = query.model_copy(update={"cursor": page.next})


class Client:
    """A service and a key. Close it, or use it in a ``with`` statement.

    Methods raise :class:`~lenswatch_api.client.ServiceError` with the service's own words, and
    :class:`~lenswatch_api.client.ServiceUnreachable` where nothing answers.
    """

    def __init__(
        self,
        server: str,
        key: str,
        *,
        timeout_seconds: float = 120.0,
        plain_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``server``: address without ``/api/v1``, https:// unless it is this machine or
        ``plain_http``; ``timeout_seconds``: longest silence in an answer; ``transport``: for tests.
        """
        self._transport = Transport(
            server,
            key,
            timeout_seconds=timeout_seconds,
            plain_http=plain_http,
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # -- deployments and evidence ------------------------------------------------------------

    def create_deployment(
        self, wanted: NewDeployment, *, idempotency_key: str | None = None
    ) -> Deployment:
        """Make a deployment."""
        return self._transport.make(
            Deployment, f"{PREFIX}/deployments", wanted, idempotency_key=idempotency_key
        )

    def list_deployments(self, query: PageQuery | None = None) -> Page[Deployment]:
        """Deployments, newest first."""
        return self._page(Page[Deployment], "/deployments", query)

    def get_deployment(self, deployment_id: str) -> Deployment:
        """One deployment."""
        return self._get(Deployment, f"/deployments/{deployment_id}")

    def upload_bundle(
        self,
        deployment_id: str,
        archive: bytes,
        *,
        media_type: str = "application/octet-stream",
        idempotency_key: str | None = None,
    ) -> Bundle:
        """Send a small archive whole; ``transfers.send_bundle`` sends a folder of any size."""
        return self._transport.make(
            Bundle,
            f"{PREFIX}/deployments/{deployment_id}/bundles",
            archive,
            media_type=media_type,
            idempotency_key=idempotency_key,
        )

    def list_bundles(self, deployment_id: str, query: PageQuery | None = None) -> Page[Bundle]:
        """Evidence of a deployment, newest first."""
        return self._page(Page[Bundle], f"/deployments/{deployment_id}/bundles", query)

    def get_bundle(self, bundle_id: str) -> Bundle:
        """What is known of a bundle."""
        return self._get(Bundle, f"/bundles/{bundle_id}")

    def delete_bundle(self, bundle_id: str) -> None:
        """Delete evidence; what was concluded from it stays."""
        self._transport.call(None, "DELETE", f"{PREFIX}/bundles/{bundle_id}")

    def create_upload(
        self, deployment_id: str, length: int, *, content_digest: str | None = None
    ) -> Upload:
        """Announce an archive of ``length`` bytes; ``content_digest`` as RFC 9530 has it."""
        headers = {"Upload-Length": str(length)}
        if content_digest is not None:
            headers["Content-Digest"] = content_digest
        path = f"{PREFIX}/deployments/{deployment_id}/uploads"
        return Upload.model_validate_json(
            self._transport.send("POST", path, None, b"", headers).content
        )

    def get_upload(self, upload_id: str) -> Upload:
        """How far an upload is."""
        return self._get(Upload, f"/uploads/{upload_id}")

    def get_upload_offset(self, upload_id: str) -> int:
        """Bytes of an upload that are kept."""
        answer = self._transport.send("HEAD", f"{PREFIX}/uploads/{upload_id}")
        return int(answer.headers["Upload-Offset"])

    def append_to_upload(self, upload_id: str, offset: int, piece: bytes) -> str | None:
        """Add a piece at ``offset``; the last one makes the bundle, whose id is returned."""
        answer = self._transport.send(
            "PATCH",
            f"{PREFIX}/uploads/{upload_id}",
            None,
            piece,
            {"Content-Type": _PIECE, "Upload-Offset": str(offset)},
        )
        made: str | None = answer.headers.get("Lenswatch-Bundle-Id")
        return made

    def deliver_flows(
        self,
        deployment_id: str,
        messages: Sequence[bytes],
        exporter: Exporter,
        *,
        idempotency_key: str | None = None,
    ) -> FlowDelivery:
        """Deliver export messages of a router, each as it was sent; 1 MiB together."""
        framed = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
        return self._transport.make(
            FlowDelivery,
            f"{PREFIX}/deployments/{deployment_id}/flows",
            framed,
            query=exporter,
            media_type=BATCH,
            idempotency_key=idempotency_key,
        )

    def list_flows(self, deployment_id: str, query: PageQuery | None = None) -> Page[FlowDelivery]:
        """Deliveries of flow exports, newest first."""
        return self._page(Page[FlowDelivery], f"/deployments/{deployment_id}/flows", query)

    def bundle_flows(
        self, deployment_id: str, wanted: NewFlowBundle, *, idempotency_key: str | None = None
    ) -> Bundle:
        """Make a bundle of the flows that wait."""
        path = f"{PREFIX}/deployments/{deployment_id}/flows/bundle"
        return self._transport.make(Bundle, path, wanted, idempotency_key=idempotency_key)

    # -- audits ------------------------------------------------------------------------------

    def start_audit(self, wanted: NewAudit, *, idempotency_key: str | None = None) -> Audit:
        """Start an audit of a bundle."""
        return self._transport.make(
            Audit, f"{PREFIX}/audits", wanted, idempotency_key=idempotency_key
        )

    def list_audits(self, query: AuditQuery | None = None) -> Page[Audit]:
        """Audits, newest first."""
        return self._page(Page[Audit], "/audits", query)

    def get_audit(self, audit_id: str) -> Audit:
        """One audit."""
        return self._get(Audit, f"/audits/{audit_id}")

    def cancel_audit(self, audit_id: str) -> Audit:
        """Cancel an audit that waits or runs."""
        return self._post(Audit, f"/audits/{audit_id}/cancel", None)

    def follow_audit(self, audit_id: str) -> Iterator[Progress | Audit]:
        """Progress as it happens, and the audit itself once it has ended.

        The stream may break; ``transfers.wait_for`` takes it up again.
        """
        with self._transport.stream(f"{PREFIX}/audits/{audit_id}/events") as answer:
            for name, data in events(answer):
                kind = Audit if name == "end" else Progress
                yield kind.model_validate(data)

    def list_packs(self) -> list[Pack]:
        """The policy packs, with their rules."""
        return self._get(list[Pack], "/packs")

    # -- plans and certificates --------------------------------------------------------------

    def create_plan(
        self, deployment_id: str, wanted: NewPlan, *, idempotency_key: str | None = None
    ) -> Plan:
        """Plan an audit by sample, and commit to the inventory of a bundle."""
        path = f"{PREFIX}/deployments/{deployment_id}/plans"
        return self._transport.make(Plan, path, wanted, idempotency_key=idempotency_key)

    def list_plans(self, deployment_id: str, query: PageQuery | None = None) -> Page[Plan]:
        """Plans of a deployment, newest first."""
        return self._page(Page[Plan], f"/deployments/{deployment_id}/plans", query)

    def get_plan(self, plan_id: str) -> Plan:
        """One plan."""
        return self._get(Plan, f"/plans/{plan_id}")

    def draw_plan(self, plan_id: str, wanted: Draw) -> Plan:
        """Draw the cameras from public randomness, once."""
        return self._post(Plan, f"/plans/{plan_id}/draw", wanted)

    def get_stand(self, plan_id: str, query: StandQuery | None = None) -> Stand:
        """Where the claims of a plan stand after an audit."""
        return self._page(Stand, f"/plans/{plan_id}/stand", query)

    def add_certificate(self, wanted: NewCertificate) -> Certificate:
        """Register a certificate or a revocation."""
        return self._post(Certificate, "/certificates", wanted)

    def list_certificates(self, query: PageQuery | None = None) -> Page[Certificate]:
        """Entries of the register, newest first."""
        return self._page(Page[Certificate], "/certificates", query)

    def check_certificate(self, question: Question) -> Answer:
        """Every reason against a certificate."""
        return self._post(Answer, "/certificate-check", question)

    def get_certificate(self, certificate_id: str) -> Certificate:
        """One entry of the register."""
        return self._get(Certificate, f"/certificates/{certificate_id}")

    def get_certificate_statement(self, certificate_id: str) -> CertificateStatement:
        """An entry byte for byte."""
        return self._get(CertificateStatement, f"/certificates/{certificate_id}/statement")

    def prove_inclusion(self, certificate_id: str) -> InclusionProof:
        """Proof that an entry is in the register."""
        return self._get(InclusionProof, f"/certificates/{certificate_id}/proof")

    def get_checkpoint(self) -> Checkpoint:
        """The register's size and Merkle root."""
        return self._get(Checkpoint, "/register")

    def prove_consistency(self, earlier: EarlierCheckpoint) -> ConsistencyProof:
        """Proof that the register continues an earlier checkpoint."""
        return self._page(ConsistencyProof, "/register/consistency", earlier)

    def list_suites(self) -> list[Suite]:
        """The benchmark suites that come with lenswatch."""
        return self._get(list[Suite], "/suites")

    def add_suite_result(self, wanted: NewSuiteResult) -> SuiteResult:
        """Keep a result of ``lenswatch suite run``."""
        return self._post(SuiteResult, "/suites/results", wanted)

    def list_suite_results(self, query: PageQuery | None = None) -> Page[SuiteResult]:
        """Results that are kept, newest first."""
        return self._page(Page[SuiteResult], "/suites/results", query)

    def list_leaderboards(self) -> list[Board]:
        """Results ranked, one board for each set of cases."""
        return self._get(list[Board], "/suites/leaderboards")

    # -- results -----------------------------------------------------------------------------

    def list_findings(self, audit_id: str, query: FindingQuery | None = None) -> Page[Finding]:
        """Findings, filtered and sorted."""
        return self._page(Page[Finding], f"/audits/{audit_id}/findings", query)

    def count_verdicts(self, audit_id: str) -> list[VerdictCounts]:
        """Numbers of verdicts by control."""
        return self._get(list[VerdictCounts], f"/audits/{audit_id}/verdicts")

    def get_score(self, audit_id: str) -> Score:
        """The score, with what it is made of."""
        return self._get(Score, f"/audits/{audit_id}/score")

    def compare_audits(self, audit_id: str, query: ComparisonQuery | None = None) -> Comparison:
        """What changed since an earlier audit."""
        return self._page(Comparison, f"/audits/{audit_id}/comparison", query)

    def get_map(self, audit_id: str) -> Map:
        """Cameras of each district by their worst verdict."""
        return self._get(Map, f"/audits/{audit_id}/map")

    def get_map_positions(self, audit_id: str) -> bytes:
        """Positions and worst verdicts of all cameras, 9 bytes each."""
        return self._transport.send("GET", f"{PREFIX}/audits/{audit_id}/map/positions").content

    def list_sinks(self, audit_id: str) -> list[Sink]:
        """Where video comes to rest."""
        return self._get(list[Sink], f"/audits/{audit_id}/sinks")

    def list_retention(self, audit_id: str) -> list[Retention]:
        """How long recordings are kept, against the limits."""
        return self._get(list[Retention], f"/audits/{audit_id}/retention")

    def list_end_use(self, audit_id: str) -> list[EndUse]:
        """What the equipment of each vendor takes part in."""
        return self._get(list[EndUse], f"/audits/{audit_id}/end-use")

    def list_reports(self, audit_id: str) -> list[Report]:
        """The files that an audit wrote."""
        return self._get(list[Report], f"/audits/{audit_id}/reports")

    @contextmanager
    def download_report(self, audit_id: str, name: str) -> Iterator[httpx.Response]:
        """A report, to be read as it comes; ``transfers.fetch_reports`` writes all of them."""
        path = f"{PREFIX}/audits/{audit_id}/reports/{quote(name)}"
        with self._transport.stream(path) as answer:
            yield answer

    # -- the service itself ------------------------------------------------------------------

    def create_key(self, wanted: NewKey) -> NewKeySecret:
        """Make a key; its secret is in this answer alone."""
        return self._post(NewKeySecret, "/keys", wanted)

    def list_keys(self, query: PageQuery | None = None) -> Page[Key]:
        """Keys of the tenant, newest first."""
        return self._page(Page[Key], "/keys", query)

    def revoke_key(self, key_id: str) -> None:
        """End a key."""
        self._transport.call(None, "DELETE", f"{PREFIX}/keys/{key_id}")

    def create_tenant(self, wanted: NewTenant) -> MadeTenant:
        """Make a tenant; needs a key of role operator."""
        return self._post(MadeTenant, "/tenants", wanted)

    def list_tenants(self, query: PageQuery | None = None) -> Page[Tenant]:
        """Tenants, newest first."""
        return self._page(Page[Tenant], "/tenants", query)

    def list_accesses(self, query: PageQuery | None = None) -> Page[Access]:
        """Who touched which evidence, report or key, newest first."""
        return self._page(Page[Access], "/access-log", query)

    def get_health(self) -> Health:
        """Whether the process answers."""
        return cast("Health", self._transport.call(Health, "GET", "/health"))

    def get_readiness(self) -> Readiness:
        """Whether requests can be served."""
        return cast("Readiness", self._transport.call(Readiness, "GET", "/ready"))

    def get_metrics(self) -> str:
        """The counters, in Prometheus' text format."""
        return self._transport.send("GET", "/metrics").text

    def _get(self, kind: type[Made], path: str) -> Made:
        return cast("Made", self._transport.call(kind, "GET", f"{PREFIX}{path}"))

    def _post(self, kind: type[Made], path: str, body: BaseModel | None) -> Made:
        return cast("Made", self._transport.call(kind, "POST", f"{PREFIX}{path}", body=body))

    def _page(self, kind: type[Made], path: str, query: BaseModel | None) -> Made:
        return cast("Made", self._transport.call(kind, "GET", f"{PREFIX}{path}", query=query))
