"""Profiles: which transform each type gets, in TOML. See docs/sanitize.md for every key."""

from consentry.sanitize.profiles.build import open_vault
from consentry.sanitize.profiles.declared import DeclaredDetector, Scans, with_lists
from consentry.sanitize.profiles.load import ProfileInvalid, load, names, parse
from consentry.sanitize.profiles.profile import Profile, Rule

__all__ = [
    "DeclaredDetector",
    "Profile",
    "ProfileInvalid",
    "Rule",
    "Scans",
    "load",
    "names",
    "open_vault",
    "parse",
    "with_lists",
]
