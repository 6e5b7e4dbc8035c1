"""A page about what was found where: one file, nothing from elsewhere, masked previews only."""

from consentry.sanitize.report.page import Overview, render, write

__all__ = ["Overview", "render", "write"]
