"""E-mails: told where to decide, over TLS, with nothing in them that decides or that somebody could inject."""

from __future__ import annotations

import datetime
import email
import email.policy
import ipaddress
import ssl
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consentry.channels.card import Card, Part, Row, Word
from consentry.channels.email import render
from consentry.channels.email.config import EmailConfig
from consentry.channels.email.send import EmailSender
from consentry.channels.model import InvalidAddress, NoteKind, Outgoing, Posted, Remark, Role, SendFailed
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance

SENDER = "Consentry <consentry@example.com>"


def card(**changes) -> Card:
    values = {
        "request": "req_1", "url": "https://consentry.example/requests/req_1", "operation": "dataset.export",
        "resource": "crm", "state": RequestState.PENDING, "data": "3 sensitive values (EMAIL_ADDRESS)",
        "parts": (
            Part("Who", (Row("agent", "etl"), Row("for person", "Mara (m…@example.org)"))),
            Part("What", (Row("arguments", '{\n  "to": "a secret place"\n}'),)),
            Part("Why you are asked", (Row("exports", "Exports are looked at"),)),
            Part("What the caller says (not checked)", (Row("reason", "please"),), payload=True),
        ),
        "asked": ("data-stewards",), "quorum": 1, "approvals": 0, "stage": 0, "stages": 1, "words": (),
        "assurance": Assurance.SESSION, "digest": "ab" * 32, "joined": 0, "expires_at_ms": 1_800_000_000_000,
    }  # fmt: skip
    return Card(**{**values, **changes})


def outgoing(one: Card | None = None, **more) -> Outgoing:
    return Outgoing("msg_1", "person:per_1", more.pop("role", Role.REVIEW), one or card(), **more)


@dataclass
class Server:
    """An SMTP server that offers STARTTLS, keeps what it gets, and answers as told."""

    port: int
    ca: object
    mails: list = field(default_factory=list)
    answers: list = field(default_factory=list)

    async def handle_DATA(self, _server, session, envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.mails.append((envelope, session.ssl is not None))
        return "250 OK"

    def read(self, index: int = -1) -> email.message.EmailMessage:
        return email.message_from_bytes(self.mails[index][0].content, policy=email.policy.default)


def _certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    ca = folder / "ca.pem"
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return pem, ca


@pytest_asyncio.fixture
async def server(tmp_path):
    import asyncio

    smtp = pytest.importorskip("aiosmtpd.smtp", reason="aiosmtpd is not installed")
    pem, ca = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    one = Server(0, ca)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: smtp.SMTP(one, tls_context=context, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    one.port = listening.sockets[0].getsockname()[1]
    yield one
    listening.close()


def sender(server, **changes) -> EmailSender:
    async def find(person: str) -> str | None:
        return {"per_1": "ada@example.org", "per_long": "a@b"}.get(person)

    values = {"host": "127.0.0.1", "sender": SENDER, "port": server.port, "ca": server.ca}
    return EmailSender(EmailConfig(**{**values, **changes}), find)


async def test_an_email_tells_where_to_decide_over_tls(server) -> None:
    posted = await sender(server).post(outgoing())
    envelope, encrypted = server.mails[0]
    mail = server.read()
    assert encrypted
    assert envelope.rcpt_tos == ["ada@example.org"]
    assert mail["Subject"] == "Your decision is asked: dataset.export on crm"
    assert mail["Message-ID"] == posted.provider_id == "<msg_1@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        text = mail.get_body((kind,)).get_content()
        assert "https://consentry.example/requests/req_1" in text
        assert "Exports are looked at" in text
        assert "a secret place" not in text  # arguments stay on the page
        assert "<form" not in text


async def test_without_tls_nothing_is_sent(server) -> None:
    """The server's certificate is not one to believe, and neither is a server that offers none."""
    with pytest.raises(SendFailed):
        await sender(server, ca=None).post(outgoing())
    assert server.mails == []


async def test_a_plain_server_is_refused_unless_the_operator_says_so(server, tmp_path) -> None:
    import asyncio

    from aiosmtpd.smtp import SMTP

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(server, loop=loop), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with pytest.raises(SendFailed):
        await sender(server, port=port).post(outgoing())
    assert server.mails == []
    await sender(server, port=port, security="none").post(outgoing())
    assert len(server.mails) == 1
    listening.close()


async def test_a_reminder_answers_the_first_email(server) -> None:
    one = sender(server)
    posted = await one.post(outgoing())
    await one.note(posted, Remark("not_1", NoteKind.REMINDED, outgoing()))
    mail = server.read()
    assert mail["In-Reply-To"] == mail["References"] == posted.provider_id
    assert mail["Subject"].startswith("Still waiting for your decision")


async def test_a_second_try_has_the_same_message_id(server) -> None:
    server.answers.append("451 try again")
    one = sender(server)
    with pytest.raises(SendFailed) as caught:
        await one.post(outgoing())
    assert not caught.value.ambiguous
    assert "ada@" not in str(caught.value)
    assert (await one.post(outgoing(again=True))).provider_id == "<msg_1@example.com>"


async def test_whoever_has_left_gets_nothing(server) -> None:
    posted = await sender(server).post(Outgoing("msg_2", "person:per_gone", Role.REVIEW, card()))
    assert isinstance(posted, Posted)
    assert server.mails == []


async def test_a_server_that_is_not_there_is_no_ambiguity(server) -> None:
    with pytest.raises(SendFailed) as caught:
        await sender(server, port=1).post(outgoing())
    assert not caught.value.ambiguous


@pytest.mark.parametrize(
    "resource",
    [
        "x\r\nBcc: evil@example.com",
        "x\nSubject: Approved",
        "x\u2028Bcc: a@b.example",
        "x\x00y",
        "=?utf-8?q?=0ABcc:a@b?=",
    ],
)
def test_a_resource_cannot_add_headers(resource) -> None:
    mail = render.message(card(resource=resource), "msg_1", Role.REVIEW, sender=SENDER, to="ada@example.org")
    text = mail.as_bytes()
    head = text.partition(b"\r\n\r\n")[0].lower()
    assert b"\nbcc" not in head
    assert head.count(b"\nsubject:") + head.startswith(b"subject:") == 1
    assert mail["Bcc"] is None


@pytest.mark.parametrize("address", ["", "ada", "a@b\r\nBcc: c@d.example", "a@b, c@d.example", "<>", "a b@example.org"])
def test_no_mail_goes_to_what_is_no_address(address) -> None:
    with pytest.raises(InvalidAddress):
        render.address(address)


def test_markup_in_a_name_stays_text() -> None:
    one = card(
        resource="<script>x</script>", words=(Word("<b>Ada</b>", True, "web", None),), state=RequestState.APPROVED
    )
    mail = render.message(one, "msg_1", Role.REQUESTER, sender=SENDER, to="ada@example.org")
    text = mail.get_body(("html",)).get_content()
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;Ada" in text


async def test_through_the_whole_house(server, fake, start_house, tmp_path, monkeypatch, patch) -> None:
    told = {"host": "127.0.0.1", "port": server.port, "sender": SENDER, "ca": str(server.ca)}
    async with start_house(tmp_path / "mail", fake, email=told) as house:
        request = await house.ask()
        await house.until(lambda: len(server.mails) == 4)  # everybody who releases but whoever asked
        to = {one[0].rcpt_tos[0] for one in server.mails}
        assert to == {f"{name}@example.org" for name in ("ada", "ben", "dan", "eve")}
        session = await house.services.directory.authenticate(house.tokens["ada"])
        await house.vote_elsewhere(request, session, "approve", "fine")
        await house.until(lambda: len(server.mails) == 5)
        assert server.mails[-1][0].rcpt_tos == ["mara@example.org"]
        assert server.read()["Subject"].startswith("Approved")
