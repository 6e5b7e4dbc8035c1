"""The command `consentry-train`: fits the model of names anew. Needs a checkout of the source and the extra `train`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from consentry.errors import Unavailable


def main(arguments: list[str] | None = None) -> int:
    """Runs `tools/train_names` of the checkout that this package was installed from, editable.

    Raises `Unavailable` where the package stands alone, without its training scripts.
    """
    root = Path(__file__).resolve().parents[4]
    if not (root / "tools" / "train_names" / "__main__.py").is_file():
        raise Unavailable(
            "the training scripts are not in the package; run `consentry-train` from a checkout of the source"
        )
    sys.path.insert(0, str(root))
    scripts = importlib.import_module("tools.train_names.__main__")
    return int(scripts.main(arguments))
