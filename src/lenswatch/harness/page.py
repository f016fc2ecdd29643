"""A certificate for people: one HTML file with everything in it, and a QR code.

The page carries the signed file itself. It is no proof, and says so.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

from lenswatch.attest.certificate import certificate_digest, describe


def certificate_page(raw: bytes, *, titles: dict[str, str], url: str = "") -> str:
    """The page of a signed certificate.

    ``titles`` gives the title of each control, ``url`` is where the register is hosted; the QR code
    holds it with the certificate's digest after ``#``, or the digest alone.
    """
    import jinja2

    stated = describe(raw)["predicate"]
    digest = certificate_digest(raw)
    rows = [
        {
            "title": titles.get(verdict["control"], verdict["control"]),
            "control": verdict["control"],
            "verdict": verdict["verdict"],
            "required": verdict["required"],
            "measured": _number(verdict["measured"], verdict["unit"]),
            "limit": _number(verdict["limit"], ""),
        }
        for verdict in stated["verdicts"]
    ]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(
        Path(__file__).with_name("certificate.html.j2").read_text("utf-8")
    )
    return template.render(
        device=stated["device"],
        issued=stated["issued"],
        expires=stated["expires"],
        rows=rows,
        code=_code(f"{url}#sha256={digest}" if url else f"urn:lenswatch:sha256:{digest}"),
        file="certificate.json",
        content=base64.b64encode(raw).decode(),
        identity=[
            ("Certificate", f"sha256:{digest}"),
            ("Device", stated["device"]["digest"]),
            ("Signed by key", stated["signer"]["keyid"]),
            ("Protocol", f"{stated['protocol']['id']} {stated['protocol']['digest']}"),
            (
                "Rules",
                ", ".join(f"{p['id']} {p['version']} {p['digest']}" for p in stated["packs"]),
            ),
            ("Seed", str(stated["simulator"]["seed"])),
            ("Verdicts", stated["verdict_digest"]),
            ("Program", f"{stated['tool']['name']} {stated['tool']['version']}"),
        ],
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.4g} {unit}".strip()


def _code(text: str) -> str:
    """An inline SVG; black on white whatever the page's colours, as readers expect."""
    import segno

    buffer = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        buffer, kind="svg", xmldecl=False, svgns=True, border=2, dark="#000", light="#fff",
        omitsize=True,
    )  # fmt: skip
    return buffer.getvalue().decode()
