"""Recall and precision on CredSweeper's samples: `python bench/accuracy_secrets.py ../shared/bench/secrets [--misses]`.

A hit overlaps an expected value on its line (where the value's place is exact; elsewhere any finding on the line).
A false finding is one on a line that is neither expected nor a candidate; one of several lines counts once.
"""

from __future__ import annotations

import argparse
import bisect
import json
import tarfile
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from consentry.sanitize import secrets
from consentry.sanitize.detector import NO_CONTEXT

BINARY = {
    ".jks",
    ".bz2",
    ".gz",
    ".lzma",
    ".zip",
    ".cpio",
    ".bmp",
    ".gif",
    ".hsqs",
    ".pak",
    ".pdf",
    ".png",
    ".sqlite",
    ".zst",
    ".tiff",
    ".xls",
    ".xlsb",
    ".xlsx",
}
Row = dict[str, object]


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read(path: Path, encoding: str) -> str:
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        return raw.decode(encoding or "utf-8")
    except (UnicodeDecodeError, LookupError):
        return raw.decode("utf-16-le" if "16" in (encoding or "") else "latin-1", errors="replace")


def spans_by_line(text: str) -> tuple[dict[int, list[tuple[int, int]]], list[tuple[set[int], str]]]:
    """Each line's found spans (line numbers from 1, columns), and for each finding its lines and subtype."""
    starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]
    by_line: dict[int, list[tuple[int, int]]] = defaultdict(list)
    all_lines = []
    for one in secrets.detector().scan(text, NO_CONTEXT):
        if one.score < 0.5:
            continue
        first, last = (bisect.bisect_right(starts, at) for at in (one.start, max(one.start, one.end - 1)))
        for line in range(first, last + 1):
            by_line[line].append((one.start - starts[line - 1], one.end - starts[line - 1]))
        all_lines.append((set(range(first, last + 1)), one.subtype or ""))
    return by_line, all_lines


def line_of(lines: list[str], number: int) -> str:
    return lines[number - 1][:140] if number <= len(lines) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--misses", action="store_true", help="print what was missed and what was found in vain")
    args = parser.parse_args()
    expected, candidates = defaultdict(list), defaultdict(set)
    for row in rows(args.data / "expected.jsonl"):
        expected[row["file"]].append(row)
    for row in rows(args.data / "candidates.jsonl"):
        candidates[row["file"]].add(row["line"])
    hits, total, rules, missed_rules = 0, 0, Counter(), Counter()
    false, true, silent, quiet = 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(args.data / "samples.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        for entry in rows(args.data / "files.jsonl"):
            name = str(entry["file"])
            if Path(name).suffix in BINARY:
                continue
            text = read(Path(folder) / "samples" / name, str(entry["encoding"] or ""))
            lines = text.split("\n")
            by_line, found = spans_by_line(text)
            for row in expected[name]:
                total += 1
                rules[row["rule"]] += 1
                spans = by_line.get(row["line"], [])
                hit = any(not row["exact"] or (a < row["value_end"] and row["value_start"] <= b) for a, b in spans)
                hits += hit
                if not hit:
                    missed_rules[row["rule"]] += 1
                    if args.misses:
                        print("MISS", name, row["line"], row["rule"], line_of(lines, row["line"]))
            known = {row["line"] for row in expected[name]} | candidates[name]
            wrong = [(ls, subtype) for ls, subtype in found if not ls & known]
            bad_lines = {min(ls) for ls, _ in wrong}
            if args.misses:
                for ls, subtype in wrong:
                    print("FALSE", name, min(ls), subtype, line_of(lines, min(ls)))
            false += len(bad_lines)
            true += sum(1 for line in by_line if line in known)
            if not expected[name]:
                silent += 1
                quiet += not found
    print(f"recall      {hits / total:.3f}  ({hits} of {total} expected lines)")
    print(f"precision   {true / (true + false):.3f}  ({false} lines found in vain)")
    other = total - rules["PEM Private Key"]
    found_elsewhere = hits - rules["PEM Private Key"] + missed_rules["PEM Private Key"]
    print(f"recall without PEM lines {found_elsewhere / other:.3f} ({other} lines)")
    print(f"silent      {quiet} of {silent} files without expected lines")
    print("missed by rule:", dict(missed_rules))


if __name__ == "__main__":
    main()
