"""The engines that a profile asks for, made in the process that uses them."""

from __future__ import annotations

from consentry.sanitize.detector import Detector
from consentry.sanitize.engine import Engine
from consentry.sanitize.files.cleaner import Engines
from consentry.sanitize.profiles import DeclaredDetector, Profile, with_lists


def build_engines(profile: Profile) -> Engines:
    """Patterns, secrets, the profile's own patterns and words, and names unless the profile says no."""
    from consentry.sanitize import secrets
    from consentry.sanitize.patterns.detector import PatternDetector

    detectors: list[Detector] = [PatternDetector.default(None, profile.min_score), secrets.detector()]
    if profile.internal_ids or profile.deny:
        detectors.append(DeclaredDetector(profile))
    codes = with_lists(Engine(detectors, profile.min_score), profile)
    if not profile.names:
        return Engines(codes, codes)
    from consentry.sanitize import names

    return Engines(with_lists(Engine([*detectors, names.detector()], profile.min_score), profile), codes)
