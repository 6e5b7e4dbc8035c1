"""Validators: does this match obey the arithmetic and the registries of what it claims to be?

Each takes the matched text and answers True (confirmed), False (cannot be one) or None (nothing can be said).
"""
