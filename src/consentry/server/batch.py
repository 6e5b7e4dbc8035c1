"""Words on several requests at once, each by itself: one that fails leaves the others as they are (threat C7)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consentry.consent.model import Ballot, BallotVerdict, Request, Signed
from consentry.errors import ConsentryError, traced
from consentry.server.problems import Internal

if TYPE_CHECKING:
    from consentry.identity.model import Session
    from consentry.server.services import Services

log = logging.getLogger("consentry")


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of one request, with the digest of what they were shown of it.

    `signed` reads the passkey's answer, and raises `PasskeyRejected` where it is none: for this word alone.
    """

    request: str
    verdict: BallotVerdict
    shown_digest: str
    reason: str | None = None
    signed: Callable[[], Signed | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one word: the request as it stands then, or what stood in the way."""

    word: Word
    request: Request | None = None
    error: ConsentryError | None = None


async def vote_each(services: Services, session: Session, words: Sequence[Word], channel: str) -> list[Answer]:
    """Cast each word in turn, by the same verb as a single one; the answers in the same order.

    Raises `NotAllowed` where the session is no person's; then nothing was cast.
    """
    session.voter(channel)
    return [await _vote(services, session, word, channel) for word in words]


async def _vote(services: Services, session: Session, word: Word, channel: str) -> Answer:
    try:
        request = await services.visibility.require_request(session, word.request)
        ballot = Ballot(word.verdict, word.shown_digest, word.reason, word.signed())
        voted = await services.gate.vote(request.id, session.voter(channel), ballot)
    except ConsentryError as error:
        return Answer(word, error=error)
    except Exception as error:  # a defect in one must not hide what became of those before it
        log.error("internal", extra=traced(error))
        return Answer(word, error=Internal())
    services.metrics.count("consentry_votes_total", verdict=word.verdict.value, channel=channel)
    return Answer(word, voted)
