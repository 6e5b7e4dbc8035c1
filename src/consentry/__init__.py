"""Consentry: consent for privileged actions, and proof of it."""

__version__ = "0.1.0"
