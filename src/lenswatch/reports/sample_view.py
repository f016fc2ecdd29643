"""The plan of an audit by sample and its claims, as the page and the PDF show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lenswatch.model import sentence
from lenswatch.reports.language import Language
from lenswatch.reports.summary import Summary
from lenswatch.result import AuditResult
from lenswatch.scoring import CLAIM_EVIDENCE, Claim

NAMED_CAMERAS = 20
"""Cameras of a plan that a page names; ``findings.json`` names all."""


@dataclass(frozen=True, slots=True)
class SampledClaim:
    """One claim of an audit by sample, in words."""

    title: str
    control: str
    decision: str
    verdict: str
    sentence: str
    remedy: str
    """What would decide an open claim; empty otherwise."""
    bounds: str
    lower: float
    upper: float
    """Per cent of the cameras that break the rule, 0..100."""
    looked_at: str
    failed: str
    unchecked: str
    kept: list[str]
    """Whether the plan was kept."""


def claims(result: AuditResult, summary: Summary, language: Language) -> list[SampledClaim]:
    """The claims of an audit by sample; none where there was no sample."""
    _ = language.gettext
    decisions = {
        "certified": _("certified"),
        "refuted": _("refuted"),
        "open": _("not decided"),
        "not-applicable": _("not applicable"),
    }
    verdicts = {"certified": "pass", "refuted": "fail", "open": "inconclusive"}
    told = {
        finding.control: finding
        for finding in result.findings
        if finding.evidence == CLAIM_EVIDENCE
    }
    rows = []
    for claim in result.score.claims:
        finding = told[claim.control]
        bounds = _("%(lower)s to %(upper)s") % {
            "lower": language.percent(claim.lower),
            "upper": language.percent(claim.upper),
        }
        rows.append(
            SampledClaim(
                title=_(summary.controls[claim.control].title),
                control=claim.control,
                decision=decisions[claim.decision],
                verdict=verdicts.get(claim.decision, "not-applicable"),
                sentence=_(finding.reason),
                remedy=_(finding.remediation) if claim.decision == "open" else "",
                bounds=bounds,
                lower=100 * claim.lower,
                upper=100 * claim.upper,
                looked_at=language.number(claim.looked_at),
                failed=language.number(claim.failed),
                unchecked=language.number(claim.unchecked),
                kept=_kept(claim, language),
            )
        )
    return rows


def _kept(claim: Claim, language: Language) -> list[str]:
    """Whether the plan was kept."""
    ngettext = language.ngettext
    texts = []
    if claim.passed_over:
        text = ngettext(
            "%(n)s camera of the plan was passed over or could not be checked and counts as "
            "breaking the rule: %(names)s.",
            "%(n)s cameras of the plan were passed over or could not be checked and count as "
            "breaking the rule: %(names)s.",
            len(claim.passed_over),
        )
        texts.append(text % _named(claim.passed_over, language))
    if claim.not_reached:
        text = ngettext(
            "%(n)s camera at the end of the plan was not examined: %(names)s.",
            "%(n)s cameras at the end of the plan were not examined: %(names)s.",
            len(claim.not_reached),
        )
        texts.append(text % _named(claim.not_reached, language))
    if claim.outside:
        text = ngettext(
            "%(n)s camera outside the plan was examined and does not count in the sample.",
            "%(n)s cameras outside the plan were examined and do not count in the sample.",
            claim.outside,
        )
        texts.append(text % {"n": language.number(claim.outside)})
    return texts or [language.gettext("The plan was kept: all of it was examined.")]


def _named(nodes: Sequence[str], language: Language) -> dict[str, str]:
    rest = len(nodes) - NAMED_CAMERAS
    names = list(nodes[:NAMED_CAMERAS])
    if rest > 0:
        more = language.gettext(sentence("{n:,} more", n=rest))
        names.append(more)
    return {"n": language.number(len(nodes)), "names": language.listing(names)}


def draw(result: AuditResult, language: Language) -> list[tuple[str, str]]:
    """What it takes to draw the sample again; empty where there was none."""
    _, plan, sample = language.gettext, result.plan, result.sample
    if plan is None or sample is None:
        return []
    number, percent = language.number, language.percent
    rows = [
        (_("Claim"), _("at most %(q)s") % {"q": percent(sample.share)}),
        (_("Confidence of all claims together"), percent(sample.level)),
        (_("Cameras of the plan"), number(len(sample.nodes))),
        (_("Merkle root of the inventory"), plan["inventory_root"]),
        (_("Nonce"), plan["nonce"]),
        (_("Commitment, published before the draw"), plan["commitment"]),
        (_("Public random number"), plan["randomness"]),
        (_("Seed"), plan["seed"]),
    ]
    rows.insert(2, (_("Bad cameras that the checks find"), _found(sample.sensitivity, language)))
    return rows


def _found(sensitivity: float, language: Language) -> str:
    if sensitivity == 1.0:
        return language.gettext("all, which is assumed: the plan names no validated sensitivity")
    return language.gettext("at least %(q)s") % {"q": language.percent(sensitivity)}
