"""Vehicles."""

from __future__ import annotations

from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.checks import us
from consentry.sanitize.patterns.pattern import Pattern

PATTERNS: Final = (
    Pattern(
        id="vehicle.vin",
        type=entities.VEHICLE_ID,
        regex=r"(?<!\w)(?=[A-HJ-NPR-Z0-9]{0,16}\d)[A-HJ-NPR-Z0-9]{17}(?!\w)",
        trigger=r"\b[A-HJ-NPR-Z0-9]{17}\b",
        score=0.3,
        reason="vehicle identification number",
        check=us.vin,
        confirmed=0.8,
    ),
)
