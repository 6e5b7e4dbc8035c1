"""Speed of scanning on one core, with peers on the same texts where `CONSENTRY_PEERS_PYTHON` names their interpreter.

Each figure is the best of several runs of process time: what the work costs, whatever else the machine does. Peers are
timed in processes of their own on the first part of the same texts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table as Grid

import peer
import shared
from consentry.sanitize import Engine, Sanitizer

RUNS = 9
PEER_TEXTS = 150
SHORT_TEXTS = 1_500
SIZE = 60_000


def paragraphs(name: str, key: str = "text") -> list[str]:
    """The texts of a set, long ones cut into paragraphs."""
    texts: list[str] = []
    for record in shared.records(name):
        text = " ".join(record["tokens"]) if key == "tokens" else record[key]
        texts += [part for part in text.split("\n") if part.strip()]
    return texts


def prose() -> dict[str, list[str]]:
    """Encyclopedia and court prose, and sentences full of personal data."""
    return {
        "tweets (btc)": paragraphs("pii/ner/btc_dev.jsonl", "tokens"),
        "encyclopedia prose (wikigold)": paragraphs("pii/ner/wikigold_dev.jsonl", "tokens"),
        "court prose (tab)": paragraphs("pii/tab_train.jsonl"),
        "full of personal data (synth v2)": paragraphs("pii/synth_v2_dev.jsonl"),
    }


def hostile() -> Iterator[tuple[str, str]]:
    """Texts made to be slow: near misses, long runs, nested escapes."""
    units = {
        "digits in pairs": "12-34-",
        "one digit run": "1234567890",
        "blanks and digits": "1 2 3 4 5 6 ",
        "at signs": "a@b.",
        "long local part": "a" * 70 + "@",
        "dots": "a.b.c.d.",
        "slashes": "a/b/c/",
        "colons": "ab:cd:",
        "url starts": "http://",
        "percent": "%41%2",
        "backslashes": "\\u0041\\",
        "ampersands": "&#65;&",
        "base64": "QUJDREVGR0hJSktM",
        "brackets": "(123) (",
        "plus": "+1+2+3",
        "months": "May 1 Jan 2 ",
        "letters and digits": "AB12CD34",
        "upper case": "ABCDEFGHIJKLMNOPQ ",
        "words": "aaaa bbbb ",
        "numbers and names": "12 Abc De 3 ",
        "zero width": "a\u200b1\u200b",
        "look-alikes": "аbсd1",
        "street words": "1 Way Court Road ",
    }
    for name, unit in units.items():
        yield name, (unit * (SIZE // len(unit) + 1))[:SIZE]


def nanoseconds(scan: Callable[[str], object], texts: list[str]) -> float:
    """Process time for each byte, best of several runs."""
    size = sum(len(text.encode()) for text in texts)
    best = float("inf")
    for _ in range(RUNS):
        started = time.process_time()
        for text in texts:
            scan(text)
        best = min(best, time.process_time() - started)
    return best / size * 1e9


def joined(texts: list[str]) -> list[str]:
    """The texts as documents of about `SIZE` characters."""
    whole = "\n".join(texts)
    return [whole[at : at + SIZE] for at in range(0, len(whole), SIZE)][:6]


def start(console: Console) -> None:
    """Import, and the first scan with the compiled patterns on disk, each in a fresh process."""
    code = (
        "import time; a = time.perf_counter(); from consentry.sanitize import Sanitizer; b = time.perf_counter();"
        "Sanitizer.default(names=False).scan('ada@example.org, 415-555-0132'); print(b - a, time.perf_counter() - b)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    imports, firsts = zip(*(map(float, run.stdout.split()) for run in runs), strict=True)
    console.print(f"import {min(imports) * 1e3:.0f} ms (≤ 150), first scan {min(firsts) * 1e3:.0f} ms (≤ 500)")


def speeds(console: Console, engines: dict[str, Engine]) -> float:
    """MB/s of each engine on each kind of text; gives back what a byte of prose costs the first engine, in ns."""
    grid = Grid(title="MB/s, one core", title_justify="left")
    for heading in ("text", *engines, "Presidio patterns", "times Presidio", "DataFog", "scrubadub"):
        grid.add_column(heading, justify="left" if heading == "text" else "right")
    slowest = 0.0
    for name, texts in prose().items():
        figures = [nanoseconds(engine.scan, joined(texts)) for engine in engines.values()]
        slowest = max(slowest, figures[0]) if "prose" in name else slowest
        grid.add_row(name, *(f"{1e3 / figure:.1f}" for figure in figures), *_peers(texts, 1e3 / figures[0]))
    console.print(grid)
    return slowest


def _peers(texts: list[str], ours: float) -> list[str]:
    sample = sorted(texts, key=len, reverse=True)[:PEER_TEXTS]
    size = sum(len(text.encode()) for text in sample) / 1e6
    presidio = peer.ask("presidio_scan.py", {"job": "time", "texts": sample})
    others = peer.ask("others_scan.py", {"texts": sample})
    if presidio is None or others is None:
        return ["–"] * 4
    speed = size / presidio["seconds"]
    shown = [f"{size / one:.2f}" if isinstance(one, float) else one for one in others.values()]
    return [f"{speed:.3f}", f"{ours / speed:.0f}", *shown]


def one_by_one(console: Console, engine: Engine) -> None:
    """What short texts cost that are scanned one after the other: mostly the calls."""
    for name, texts in prose().items():
        sample = texts[:SHORT_TEXTS]
        each, size = nanoseconds(engine.scan, sample), sum(len(text.encode()) for text in sample) / len(sample)
        console.print(
            f"{name}: one by one, {each:.0f} ns a byte, {each * size / 1e3:.0f} µs a text of {size:.0f} bytes"
        )


def resistance(console: Console, engine: Engine, on_prose: float) -> None:
    """Time for each byte of hostile texts, against the slowest prose."""
    grid = Grid(title=f"hostile texts (prose: {on_prose:.0f} ns a byte)", title_justify="left")
    for heading in ("text", "ns a byte", "times prose", "twice as long"):
        grid.add_column(heading, justify="left" if heading == "text" else "right")
    for name, text in hostile():
        once, twice = nanoseconds(engine.scan, [text]), nanoseconds(engine.scan, [text + text])
        grid.add_row(name, f"{once:.0f}", f"{once / on_prose:.2f}", f"{twice / once:.2f}")
    console.print(grid)


def main() -> None:
    """Prints the tables; the argument `names` adds the engine with names."""
    console = Console(width=140)
    start(console)
    engines = {
        "patterns": Sanitizer.default(names=False, secrets=False).engine,
        "and secrets": Sanitizer.default(names=False).engine,
    }
    if "names" in sys.argv[1:]:
        engines["and names"] = Sanitizer.default().engine
    on_prose = speeds(console, engines)
    one_by_one(console, engines["patterns"])
    resistance(console, engines["patterns"], on_prose)


if __name__ == "__main__":
    main()
