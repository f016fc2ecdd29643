"""What the house promises about itself, checked."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from lenswatch.checks import CHECKS, load_checks
from lenswatch.policy import load_packs

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("src", "kernels", "sim", "api")
PACKS = sorted(path.stem for path in (ROOT / "src/lenswatch/policy/packs").glob("*.yaml"))
HEAVY = ("numba", "cv2", "onnxruntime", "numpy", "pyarrow", "scipy", "sqlalchemy", "fastapi")


def python_files() -> list[Path]:
    return [path for source in SOURCES for path in sorted((ROOT / source).rglob("*.py"))]


def test_kernels_import_numpy_numba_and_the_standard_library_only() -> None:
    graph = grimp.build_graph("lenswatch_kernels", include_external_packages=True)
    outside = {
        target.split(".")[0]
        for module in graph.modules
        for target in graph.find_modules_directly_imported_by(module)
    } - {"lenswatch_kernels"}
    assert outside - set(sys.stdlib_module_names) <= {"numpy", "numba"}


def test_every_kernel_loop_uses_the_one_decorator() -> None:
    for path in (ROOT / "kernels").rglob("*.py"):
        if path.name != "_jit.py":
            text = path.read_text("utf-8")
            assert "njit" not in text, path
            assert "prange" not in text, path


def test_every_kernel_module_has_a_test() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests/kernels").glob("*.py"))
    for path in (ROOT / "kernels/lenswatch_kernels").glob("*.py"):
        if not path.stem.startswith("_"):
            assert re.search(rf"lenswatch_kernels(\.| import .*){path.stem}\b", tests), path.stem


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_is_its_file_its_page_and_its_policy(check: object) -> None:
    identity = check.id  # type: ignore[attr-defined]
    module = ROOT / "src/lenswatch/checks" / f"{identity.replace('-', '_')}.py"
    assert module.is_file()
    page = ROOT / "docs/checks" / f"{identity}.md"
    assert page.is_file()
    assert page.read_text("utf-8").startswith(f"# {identity}\n")
    used = {control.check for pack in load_packs(PACKS) for control in pack.controls}
    assert identity in used


def test_every_check_file_is_registered() -> None:
    folder = ROOT / "src/lenswatch/checks"
    files = {p.stem.replace("_", "-") for p in folder.glob("*.py") if not p.stem.startswith("_")}
    assert files == {check.id for check in CHECKS}
    assert [check.id for check in CHECKS] == sorted(check.id for check in CHECKS)
    assert set(load_checks()) >= files


def test_checks_do_not_read_files_or_clocks() -> None:
    banned = {"open", "Path", "datetime", "time", "os", "requests", "socket"}
    for path in (ROOT / "src/lenswatch/checks").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & banned, path


def test_no_file_is_much_above_five_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in python_files()
        if (count := len(path.read_text("utf-8").splitlines())) > 550
    }
    assert not long


def test_no_module_is_named_utils() -> None:
    assert not [path for path in python_files() if "util" in path.stem or "helper" in path.stem]


def loaded_by(statement: str) -> set[str]:
    program = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize("statement", ["import lenswatch", "import lenswatch.cli"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_by(statement) & set(HEAVY)


def test_the_version_is_one() -> None:
    import lenswatch

    assert lenswatch.__version__ == importlib.metadata.version("lenswatch")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"[{lenswatch.__version__}]" in changelog


def test_checks_do_not_know_each_other() -> None:
    graph = grimp.build_graph("lenswatch")
    checks = {m for m in graph.modules if re.fullmatch(r"lenswatch\.checks\.[a-z]\w*", m)}
    for check in checks:
        assert not graph.find_modules_directly_imported_by(check) & (checks - {check}), check
