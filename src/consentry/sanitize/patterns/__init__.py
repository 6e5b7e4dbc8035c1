"""Patterns: what an identifier looks like, how a match is checked, and what raises or lowers belief in it."""

from __future__ import annotations

from consentry.sanitize.patterns.pattern import Pattern

__all__ = ["Pattern"]
