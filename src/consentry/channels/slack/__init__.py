"""Slack: requests as messages that are kept true, decisions by people who linked themselves. See docs/slack.md."""
