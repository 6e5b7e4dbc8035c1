"""The OpenAPI document: complete, valid, and true of what the server answers."""

from __future__ import annotations

import asyncio
import sys

import orjson
import pytest

from consentry.server.openapi import document, document_bytes, endpoint
from consentry.server.routes import endpoints
from consentry.server.views.actions import DecisionView, decision_json

SKIPPED = ("/v1/events", "/v1/sessions/current")
"""One answers for ever; the other would end the session of the test."""


def test_every_route_is_described_with_its_errors() -> None:
    paths = orjson.loads(document_bytes())["paths"]
    for row in (*endpoints(), endpoint()):
        operation = paths[row.path.replace(":path}", "}")][row.method.lower()]
        assert str(row.status) in operation["responses"], row.path
        for error in row.errors:
            assert f"`{error.code}`" in operation["responses"][str(error.status)]["description"], row.path
        assert bool(operation["security"]) is not row.access.open


def test_every_reference_leads_somewhere() -> None:
    text = document_bytes().decode()
    schemas = document((*endpoints(), endpoint()))["components"]["schemas"]
    references = {part.partition('"')[0] for part in text.split('"$ref":"#/components/schemas/')[1:]}
    assert references <= schemas.keys()


def test_operation_ids_are_unique() -> None:
    paths = orjson.loads(document_bytes())["paths"]
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("claim", [True, False])
async def test_the_busiest_answer_is_what_its_schema_says(server, claim) -> None:
    agent = await server.agent("etl")
    asked = await server.submit(agent, "dataset.read", "books", claim=claim)
    decision = await server.services.gate.decision(asked["id"])
    raw = orjson.loads(decision_json(decision, server.services.origin))
    assert raw == orjson.loads(DecisionView.of(decision, server.services.origin).model_dump_json())
    assert raw == asked


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["admin", "agent", "anonymous"])
async def test_no_input_makes_the_server_fail(server, kind) -> None:
    """schemathesis over every operation: no 5xx, and answers as the document says."""
    who = server.admin if kind == "admin" else await server.agent("fuzz")
    token = [] if kind == "anonymous" else ["--header", f"Authorization: Bearer {who.token}"]
    checks = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
    arguments = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.services.origin}/openapi.json",
        *token, "--checks", checks, "--phases", "coverage,fuzzing",
        "--max-examples", "12", "--seed", "1", "--no-color", "--continue-on-failure", "--suppress-health-check", "all",
        *(part for path in SKIPPED for part in ("--exclude-path", path)),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-6000:]
    asked = set(server.services.metrics._routes)
    described = {(row.method, row.path) for row in (*endpoints(), endpoint()) if row.path not in SKIPPED}
    assert not described - asked


def test_the_newer_routes_are_described_too() -> None:
    paths = orjson.loads(document_bytes())["paths"]
    assert {"/v1/policy/replay", "/v1/passkeys", "/v1/scan", "/v1/sign-in/providers"} <= paths.keys()
