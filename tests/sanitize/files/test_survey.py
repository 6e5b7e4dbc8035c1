"""Columns are judged alike, whether their samples are looked at together or one column at a time."""

from __future__ import annotations

from consentry.sanitize import Sanitizer
from consentry.sanitize.files.survey import Sample, survey


def test_samples_looked_at_together_are_judged_as_alone() -> None:
    cleaner = Sanitizer.default()._cleaner
    samples = [
        Sample(f"u{at}.{name}", "text", values)
        for at in range(40)
        for name, values in (
            ("email", [f"u{at}@lovelace-engines.com"] * 3),
            ("phone", []),
            ("note", ["call Ada Lovelace", "nothing", f"-{at}"]),
            ("password", [f"hunter2-{at}", "Kj4x8Qw2pL"]),
        )
    ]
    together = survey(samples, cleaner)
    names = [one.name for one in samples]
    for name in names[:8]:
        alone = [Sample(one.name, one.family, one.values if one.name == name else []) for one in samples]
        assert survey(alone, cleaner)[name] == together[name]
    assert together["u39.email"].type == "EMAIL_ADDRESS"
