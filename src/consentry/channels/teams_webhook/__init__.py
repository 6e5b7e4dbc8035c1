"""A Teams channel that is told by a Workflows webhook, with a link. Nobody decides there. See docs/teams.md."""
