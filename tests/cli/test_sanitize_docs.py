"""The commands of docs/sanitize.md, run in order in one folder, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "sanitize.md"
BLOCK = re.compile(r"^```(sh|python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    for kind, text in blocks:
        if kind == "toml":
            name = text.splitlines()[0].removeprefix("# ")
            assert name.endswith(".toml")
            (tmp_path / name).write_text(text, "utf-8")
            continue
        command = ["bash", "-euc", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (text, done.stderr)
    assert {"clean.parquet", "report.html", "support.parquet", "tokens.parquet"} <= {p.name for p in tmp_path.iterdir()}
    assert b"lovelace" not in (tmp_path / "clean.parquet").read_bytes()
