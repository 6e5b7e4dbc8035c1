"""Counts and latencies for Prometheus. Labels are our own words: no name, address or id of anybody."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MAX_SERIES = 500
"""An operation's name comes from callers: after so many, further ones are counted as `other`."""


class Metrics:
    """What this process has seen since it started."""

    def __init__(self) -> None:
        self.started = time.time()
        self._counts: dict[str, dict[tuple[tuple[str, str], ...], int]] = defaultdict(lambda: defaultdict(int))
        self._routes: dict[tuple[str, str], list[float]] = {}

    def count(self, name: str, **labels: str) -> None:
        """One more of `name` with these labels."""
        series = self._counts[name]
        key = tuple(labels.items())
        if key not in series and len(series) >= MAX_SERIES:
            key = tuple((label, "other") for label in labels)
        series[key] += 1

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request: by its route as it is declared, never by its path."""
        self._counts["consentry_http_requests_total"][
            ("method", method), ("route", route), ("status", str(status))
        ] += 1
        row = self._routes.get((method, route))
        if row is None:
            row = self._routes[method, route] = [0.0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def text(self, gauges: dict[str, float]) -> str:
        """The page, in the text format 0.0.4."""
        return "\n".join((*self._lines(gauges), ""))

    def _lines(self, gauges: dict[str, float]) -> Iterator[str]:
        for name, value in {"consentry_start_time_seconds": self.started, **gauges}.items():
            yield f"# TYPE {name} gauge"
            yield f"{name} {value:.15g}"
        for name, series in sorted(self._counts.items()):
            yield f"# TYPE {name} counter"
            for key, count in sorted(series.items()):
                yield f"{name}{_labels(key)} {count}"
        yield "# TYPE consentry_http_request_seconds histogram"
        for (method, route), row in sorted(self._routes.items()):
            yield from _histogram((("method", method), ("route", route)), row)


def _histogram(key: tuple[tuple[str, str], ...], row: list[float]) -> Iterator[str]:
    name, total = "consentry_http_request_seconds", 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), row, strict=False):
        total += count
        yield f"{name}_bucket{_labels((*key, ('le', bound)))} {total:.0f}"
    yield f"{name}_sum{_labels(key)} {row[-1]:.6f}"
    yield f"{name}_count{_labels(key)} {total:.0f}"


def _labels(key: tuple[tuple[str, str], ...]) -> str:
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in key)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
