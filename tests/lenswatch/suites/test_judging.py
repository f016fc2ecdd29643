from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaincinv

from lenswatch.measurements.shares import count_interval
from lenswatch.suites.cases import Case, Question, Right
from lenswatch.suites.judging import FALSE_BOXES, clustered_interval, judge_case, metrics


def one(kind: str, value: object, given: object, tolerance: float = 0.0, **details: object) -> str:
    question = Question("q", kind, "?", details)
    case = Case("c", "t", (question,), {"q": Right("label", value, tolerance)})
    tally = judge_case(case, {"q": given})["label"]
    (outcome,) = [name for name, count in tally.items() if count]
    return outcome


@pytest.mark.parametrize(
    ("kind", "value", "given", "outcome"),
    [
        ("choice", "yes", "yes", "right"),
        ("choice", "yes", "no", "wrong"),
        ("choice", "yes", None, "withheld"),
        ("choice", None, None, "right"),
        ("choice", None, "yes", "bold"),
        ("choice", "yes", "perhaps", "failed"),
        ("choice", "yes", 3, "failed"),
        ("number", 12.0, 12.4, "right"),
        ("number", 12.0, 13.0, "wrong"),
        ("number", 12.0, True, "failed"),
        ("number", 12.0, float("nan"), "failed"),
        ("number", 12.0, "12", "failed"),
        ("set", ["a", "b"], ["b", "a"], "right"),
        ("set", ["a", "b"], ["a"], "wrong"),
        ("set", ["a"], "a", "failed"),
        ("set", [], [], "right"),
    ],
)
def test_outcomes(kind: str, value: object, given: object, outcome: str) -> None:
    details = {"choices": ["yes", "no"]} if kind == "choice" else {}
    assert one(kind, value, given, tolerance=0.5, **details) == outcome


def test_no_answers_at_all_have_failed() -> None:
    question = Question("q", "choice", "?")
    case = Case("c", "t", (question,), {"q": Right("label", "yes")})
    assert judge_case(case, None)["label"]["failed"] == 1
    assert judge_case(case, {"other": "yes"})["label"]["failed"] == 1


def test_boxes() -> None:
    faces = [
        {"box": [10, 10, 20, 20], "must": True},
        {"box": [100, 10, 20, 20], "must": True},
        {"box": [200, 10, 20, 20], "must": False},
    ]
    question = Question("q", "boxes", "?")
    case = Case("c", "t", (question,), {"q": Right("faces", faces)})
    found = judge_case(case, {"q": [[12, 12, 20, 20], [201, 11, 18, 18], [300, 200, 9, 9]]})
    assert (found["faces"]["right"], found["faces"]["wrong"]) == (1, 1)
    assert (found[FALSE_BOXES]["right"], found[FALSE_BOXES]["wrong"]) == (2, 1)
    assert judge_case(case, {"q": None})["faces"]["withheld"] == 2
    assert judge_case(case, {"q": [[1, 2, 3]]})["faces"]["failed"] == 2
    assert judge_case(case, {"q": []})["faces"]["wrong"] == 2


def test_intervals_know_that_cases_are_no_independent_draws() -> None:
    sizes = np.full(20, 50.0)
    even = clustered_interval(np.full(20, 40.0), sizes)
    plain = count_interval(800, 1000)
    assert even.lower == pytest.approx(plain.lower)
    assert even.upper == pytest.approx(plain.upper)
    split = clustered_interval(np.repeat([50.0, 0.0], [16, 4]), sizes)
    assert split.upper - split.lower > 5 * (even.upper - even.lower)
    whole = clustered_interval(sizes, sizes)
    assert whole.lower == pytest.approx(float(betaincinv(20, 1, 0.05)))
    assert whole.upper == 1.0


def test_intervals_cover() -> None:
    """Cases of which each is all right or all wrong, or anything between."""
    rng = np.random.default_rng(3)
    for spread in (0.5, 5.0, 1000.0):
        held = 0
        for _ in range(300):
            shares = rng.beta(0.8 * spread, 0.2 * spread, 30)
            hits = rng.binomial(20, shares).astype(float)
            interval = clustered_interval(hits, np.full(30, 20.0))
            held += interval.lower <= 0.8 <= interval.upper
        assert held >= 0.92 * 300, spread


def test_metrics_sum_what_has_one_label() -> None:
    row = {"right": 3, "wrong": 1, "withheld": 1, "bold": 1, "failed": 0}
    (metric,) = metrics([{"x": row}, {"x": row}])
    assert metric.total == 12
    assert metric.shares["right"][0] == 0.5
    assert metric.shares["wrong"][0] == pytest.approx(4 / 12)
