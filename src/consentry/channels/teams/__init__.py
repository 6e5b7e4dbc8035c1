"""Microsoft Teams: requests as Adaptive Cards that are kept true, decisions by people who linked themselves.

See docs/teams.md.
"""
