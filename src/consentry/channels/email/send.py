"""E-mails handed to an SMTP server, over TLS unless the operator says otherwise.

SMTP cannot be asked whether a message arrived: where an answer was lost it is sent again, under the Message-ID that it
had (RFC 5322, 3.6.4), by which mailboxes know a copy.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from types import TracebackType
from typing import Self

import aiosmtplib

from consentry.channels.email import render
from consentry.channels.email.config import EmailConfig
from consentry.channels.email.route import PERSON
from consentry.channels.model import NoteKind, Outgoing, Posted, Remark, Role, SendFailed

TIMEOUT_S = 20
Addresses = Callable[[str], Awaitable[str | None]]
"""The address of a person by id, or `None` where they are not active any more."""


class EmailSender:
    """One connection for each e-mail: they are few, and a connection that is kept fails when it is needed."""

    gap_ms = 0

    def __init__(self, config: EmailConfig, addresses: Addresses) -> None:
        self._config = config
        self._addresses = addresses

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def post(self, message: Outgoing) -> Posted:
        mail = await self._mail(message, message.id, None)
        if mail is not None:
            await self._send(mail)
        return Posted(message.target, str(mail["Message-ID"]) if mail is not None else f"<{message.id}@nowhere>")

    async def update(self, posted: Posted, message: Outgoing) -> None:
        """What was mailed stays as it is."""

    async def note(self, posted: Posted, remark: Remark) -> str:
        mail = await self._mail(remark.message, remark.id, remark.kind)
        if mail is None:
            return posted.provider_id
        await self._send(render.threaded(mail, posted.provider_id))
        return str(mail["Message-ID"])

    async def _mail(self, message: Outgoing, message_id: str, kind: NoteKind | None) -> EmailMessage | None:
        """The e-mail, or `None` where its person has left."""
        to = await self._addresses(message.target.removeprefix(PERSON))
        if to is None:
            return None
        if message.role is Role.LISTED:
            return render.collected(message.listed, message_id, sender=self._config.sender, to=to)
        return render.message(message.card, message_id, message.role, sender=self._config.sender, to=to, kind=kind)

    async def _send(self, mail: EmailMessage) -> None:
        await _with(self._config, lambda client: client.send_message(mail))


async def check(config: EmailConfig) -> None:
    """Connect, sign in, and say nothing. Raises `SendFailed`."""
    await _with(config, lambda client: client.noop())


async def _with(config: EmailConfig, do: Callable[[aiosmtplib.SMTP], Awaitable[object]]) -> None:
    """One connection, and one thing done over it. Raises `SendFailed`, ambiguous once anything was on its way."""
    secure = config.security != "none"
    client = aiosmtplib.SMTP(
        hostname=config.host,
        port=config.port,
        username=config.username,
        password=None if config.password is None else config.password(),
        use_tls=config.security == "tls",
        start_tls=config.security == "starttls",
        tls_context=ssl.create_default_context(cafile=config.ca) if secure else None,
        timeout=TIMEOUT_S,
    )
    connected = False
    try:
        async with client:
            connected = True
            await do(client)
    except aiosmtplib.SMTPResponseException as error:
        raise SendFailed(f"the mail server refused: {error.code}") from None
    except aiosmtplib.SMTPRecipientsRefused:
        raise SendFailed("the mail server takes no mail for this address") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        what = "sending was cut short" if connected else "the mail server cannot be reached"
        raise SendFailed(f"{what}: {type(error).__name__}", ambiguous=connected) from None
