"""Mailboxes, web addresses, addresses of machines."""

from __future__ import annotations

from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.checks import network
from consentry.sanitize.checks.domains import BARE
from consentry.sanitize.patterns.pattern import Pattern

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_HOST = r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\u00a1-\uffff._-]{1,253}+)"
_REST = r"(?:[/?#][^\s<>\"'`{}|\\^\x1e]{0,1800})?(?<![.,;:!?)\]*])"
_SUFFIX = "(?:" + "|".join(sorted(BARE)) + ")"

PATTERNS: Final = (
    Pattern(
        id="email",
        type=entities.EMAIL_ADDRESS,
        regex=(
            r"(?<![\w%+-])[\w%+-][\w.%+'-]{0,63}+@"
            r"(?:[A-Za-z0-9-]{1,63}+\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}+|[A-Za-z]{2,24}+)(?![\w-])"
        ),
        trigger=r"[A-Za-z0-9_.%+'-]@[A-Za-z0-9-]{1,63}\.[A-Za-z0-9-][A-Za-z0-9.-]",
        reach=132,
        ahead=720,
        digitless=True,
        score=0.5,
        reason="mailbox",
        lift=0.0,
        check=network.email,
        confirmed=0.98,
    ),
    Pattern(
        id="url",
        type=entities.URL,
        regex=(
            r"[HFWhfw](?i:(?:(?<=h)ttps?|(?<=f)tps?|(?<=w)ss?)://"
            rf"(?:[^\s/?#<>\"'@\x1e]{{1,128}}@)?(?P<host>{_HOST})(?::\d{{1,5}})?{_REST})"
        ),
        trigger=r"(?i)(?:https?|ftps?|wss?)://[^\s/]",
        begins=True,
        digitless=True,
        score=0.5,
        reason="web address",
        lift=0.0,
        check=network.host,
        checked="host",
        confirmed=0.95,
    ),
    Pattern(
        id="url.www",
        type=entities.URL,
        regex=rf"(?<![\w@/.-])www\.(?:[a-z0-9-]{{1,63}}+\.){{1,6}}[a-z]{{2,18}}+(?![\w-])(?::\d{{1,5}})?{_REST}",
        trigger=r"www\.[a-z0-9-]",
        begins=True,
        ignore_case=True,
        digitless=True,
        score=0.85,
        reason="web address",
        lift=0.0,
    ),
    Pattern(
        id="url.bare",
        type=entities.URL,
        regex=(
            rf"(?<![\w@/.=%\\-])(?:[a-z0-9][a-z0-9-]{{1,40}}+\.){{1,3}}{_SUFFIX}"
            r"(?![\w@-]|\.[a-z0-9]|\()(?:/[^\s<>\"'`{}|\\^\x1e]{0,300})?(?<![.,;:!?)\]*])"
        ),
        trigger=rf"[a-z0-9-]{{2}}\.{_SUFFIX}\b",
        reach=140,
        begin=r"(?<![\w@/.=%\\-])[A-Za-z0-9][A-Za-z0-9-]{1,40}\.",
        ahead=460,
        ignore_case=True,
        digitless=True,
        score=0.3,
        reason="domain name",
        check=network.domain,
        confirmed=0.6,
    ),
    Pattern(
        id="ip.v4",
        type=entities.IP_ADDRESS,
        regex=rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?\d)(?![\d/]))?(?!\w|\.\d)",
        trigger=r"(?:^|[^\w.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d",
        score=0.7,
        reason="IPv4 address",
    ),
    Pattern(
        id="ip.v6",
        type=entities.IP_ADDRESS,
        regex=(
            r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,8}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4})"
            r"(?![\w:]|\.\d)(?:%\w{1,16})?(?:/\d{1,3}(?!\d))?"
        ),
        trigger=r"(?:^|[^\w:.])[0-9a-f]{0,4}:[0-9a-f]{0,4}:",
        ignore_case=True,
        digitless=True,
        score=0.1,
        reason="IPv6 address",
        lift=0.0,
        check=network.ipv6,
        confirmed=0.85,
    ),
    Pattern(
        id="mac",
        type=entities.MAC_ADDRESS,
        regex=r"(?<![\w:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])",
        trigger=r"(?:^|[^\w:-])[0-9a-f]{2}[:-](?:[0-9a-f]{2}[:-]){4}[0-9a-f]{2}",
        ignore_case=True,
        digitless=True,
        score=0.5,
        reason="hardware address",
        lift=0.0,
        check=network.mac,
        confirmed=0.85,
    ),
    Pattern(
        id="mac.dotted",
        type=entities.MAC_ADDRESS,
        regex=r"(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])",
        trigger=r"(?:^|[^\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}",
        ignore_case=True,
        digitless=True,
        score=0.5,
        reason="hardware address",
        lift=0.0,
        check=network.mac,
        confirmed=0.6,
    ),
)
