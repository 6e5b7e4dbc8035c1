"""TLS at both sides of the door: a listener with a certificate, and an upstream whose certificate is checked."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consentry.doors.errors import UpstreamDown
from consentry.doors.http.client import Client
from consentry.doors.http.config import Upstream
from consentry.doors.http.limits import Limits
from consentry.doors.http.listener import Listener

BODY = b"x" * 300_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    return path


async def answer(exchange):
    data = b"".join([piece async for piece in exchange.body()])
    await exchange.start(200, [("content-length", str(len(data)))])
    await exchange.write(data)
    await exchange.end()
    assert exchange.secure


class Sent:
    size = len(BODY)

    async def pieces(self):
        yield BODY


async def through(certificate, trusted: ssl.SSLContext | None) -> bytes:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    listener = Listener(answer, "127.0.0.1", 0, context)
    await listener.start()
    client = Client(Upstream("shop", f"https://127.0.0.1:{listener.port}"), trusted)
    try:
        got = b""
        for _ in range(2):  # the second over the same connection
            found = await client.send("POST", "/", [], Sent(), chunked=False)
            got = b"".join([piece async for piece in found.pieces()])
            found.close()
        return got
    finally:
        await client.close()
        await listener.close()


def test_bodies_pass_under_tls(certificate, loop_factory):
    trusted = ssl.create_default_context(cafile=certificate)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(through(certificate, trusted)) == BODY


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, loop_factory):
    with asyncio.Runner(loop_factory=loop_factory) as runner, pytest.raises(UpstreamDown):
        runner.run(through(certificate, None))


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request):
    return pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else asyncio.new_event_loop


async def test_whoever_begins_no_handshake_is_closed(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    listener = Listener(answer, "127.0.0.1", 0, context, Limits(head_s=0.3))
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
    finally:
        writer.close()
        await listener.close()
