"""Consent: requests, votes, grants and claims, and the one gate that moves them."""
