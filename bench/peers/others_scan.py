"""DataFog's and scrubadub's pattern engines over texts; run by an interpreter that has `bench/peers.txt` installed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def datafog() -> Callable[[str], int]:
    """DataFog's regular expressions."""
    from datafog.processing.text_processing.regex_annotator import RegexAnnotator

    annotate = RegexAnnotator().annotate
    return lambda text: sum(map(len, annotate(text).values()))


def scrubadub() -> Callable[[str], int]:
    """scrubadub with the detectors that it turns on by default."""
    import scrubadub

    scrubber = scrubadub.Scrubber()
    return lambda text: sum(1 for _ in scrubber.iter_filth(text))


def main() -> None:
    job = json.load(sys.stdin)
    answers: dict[str, float | str] = {}
    for build in (datafog, scrubadub):
        try:
            scan = build()
            scan(job["texts"][0])
            started = time.process_time()
            for text in job["texts"]:
                scan(text)
            answers[build.__name__] = time.process_time() - started
        except Exception as error:  # a peer that does not run here is reported, not hidden
            answers[build.__name__] = f"{type(error).__name__}: {error}"[:120]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
