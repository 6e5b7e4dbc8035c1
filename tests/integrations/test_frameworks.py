"""Each integration against its framework, run for real, in the environment that `.ci/tools` makes for them.

Here is one test for each check in `inside/`; its file is run once, by a pytest of that environment, against a server.
"""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

House = Any  # of tests/conftest.py

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
PYTHON = ROOT / ".work" / "frameworks" / "bin" / "python"
Results = dict[str, list[tuple[str, str]]]
"""For each check, the outcomes of its cases: `passed`, or what went wrong and how."""


def checks() -> Iterator[tuple[str, str]]:
    for path in sorted(INSIDE.glob("check_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield path.name, node.name


@pytest.fixture(scope="module")
def results(house: House, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Results]:
    """Runs a file of checks, once."""
    known: dict[str, Results] = {}

    def of(name: str) -> Results:
        if name not in known:
            known[name] = run(name, house, tmp_path_factory.mktemp("inside"))
        return known[name]

    return of


def run(name: str, house: House, folder: Path) -> Results:
    report = folder / "report.xml"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CONSENTRY_", "PYTEST_"))}
    environment |= {
        "CONSENTRY_URL": house.url,
        "CONSENTRY_TOKEN": house.tokens["agent"],
        "TEST_REVIEWER": house.tokens["joon"],
        "PYTHONPATH": str(ROOT / "src"),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "HOME": str(folder),
    }
    command = [
        str(PYTHON),
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-c",
        str(INSIDE / "pytest.ini"),
        f"--junitxml={report}",
    ]
    done = subprocess.run(
        [*command, str(INSIDE / name)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert report.exists(), done.stdout + done.stderr
    found: Results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problem = next((one for one in case if one.tag in ("failure", "error", "skipped")), None)
        outcome = ("passed", "") if problem is None else (problem.tag, problem.text or "")
        found.setdefault(case.get("name", "").partition("[")[0], []).append(outcome)
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("file", "check"), list(checks()))
def test_framework(file: str, check: str, results: Callable[[str], Results]) -> None:
    if not PYTHON.exists():
        pytest.skip("the frameworks could not be installed: see `.ci/tools`")
    outcomes = results(file).get(check, [("missing", "the check did not run")])
    assert all(outcome == "passed" for outcome, _ in outcomes), "\n".join(text for _, text in outcomes)
