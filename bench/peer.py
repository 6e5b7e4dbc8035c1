"""Asks another tool, in a process of its own, so that its requirements never meet ours.

python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r bench/peers.txt
CONSENTRY_PEERS_PYTHON=/tmp/peers/bin/python python bench/accuracy.py
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

PYTHON = os.environ.get("CONSENTRY_PEERS_PYTHON")


def ask(script: str, job: dict[str, Any]) -> Any | None:
    """What `bench/peers/SCRIPT` answers, or None where no interpreter for peers is named."""
    if PYTHON is None:
        return None
    path = Path(__file__).parent / "peers" / script
    done = subprocess.run([PYTHON, str(path)], input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)
