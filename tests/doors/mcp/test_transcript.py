"""The recorded transcript is what happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_recorded_transcript_is_what_happens() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "transcript.py")], capture_output=True, text=True, timeout=110
    )
    assert done.stdout == (ROOT / "docs" / "transcript.md").read_text("utf-8"), done.stderr
