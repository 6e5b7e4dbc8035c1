"""How ledger entries spell times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from consentry.ledger.entry import format_time
from consentry.store.record import spell_time


@given(st.integers(0, 253_402_300_799_999))
@example(0)
@example(1_795_000_000_999)
@example(1_795_000_001_000)
def test_a_time_in_milliseconds_is_spelled_like_any_other(at_ms: int) -> None:
    assert spell_time(at_ms) == format_time(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms))
