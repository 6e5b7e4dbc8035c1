"""The OpenAPI document, from the same table that the server runs on."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus

import orjson
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from consentry import __version__
from consentry.actions import NotExact
from consentry.actions.json import TooLarge
from consentry.consent.errors import NotAllowed
from consentry.errors import ConsentryError, InvalidInput
from consentry.identity.errors import NotSignedIn
from consentry.server.access import ANYBODY
from consentry.server.endpoint import FORM, JSON, Call, Endpoint
from consentry.server.problems import MEDIA, CrossSite, InvalidBody, Problem, UnsupportedMedia
from consentry.server.problems import NotAcceptedMethod as _NotAcceptedMethod
from consentry.server.routes import endpoints

Document = dict[str, object]
_REF = "#/components/schemas/{model}"


async def show(call: Call) -> Response:
    return Response(document_bytes(), 200, {"cache-control": "no-cache"}, JSON)


def endpoint() -> Endpoint:
    """The route of the document itself."""
    return Endpoint("GET", "/openapi.json", ANYBODY, show, "This document", "health")


@cache
def document_bytes() -> bytes:
    return orjson.dumps(document((*endpoints(), endpoint())))


def document(rows: tuple[Endpoint, ...]) -> Document:
    """OpenAPI 3.1 for these routes."""
    schemas = _schemas(rows)
    paths: dict[str, dict[str, object]] = {}
    for row in rows:
        path = row.path.replace(":path}", "}")
        paths.setdefault(path, {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Consentry",
            "version": __version__,
            "description": "Privileged actions, judged, paused where policy says so, consented to and recorded.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`ps_…`, `ag_…` or `xt_…`"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "consentry_session"},
            },
        },
    }


def _schemas(rows: tuple[Endpoint, ...]) -> dict[str, object]:
    inputs = {model for row in rows for model in (row.body, row.query) if model is not None}
    outputs = {row.answer for row in rows if row.answer is not None} | {Problem}
    wanted = [(model, "validation") for model in inputs] + [(model, "serialization") for model in outputs]
    wanted.sort(key=lambda pair: (pair[0].__name__, pair[1]))
    _, definitions = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, object] = definitions["$defs"]
    return schemas


def _operation(row: Endpoint, schemas: dict[str, object]) -> Document:
    words = row.path.replace(":path}", "}").strip("/").replace("{", "").replace("}", "").replace("/", "_")
    operation: Document = {
        "operationId": f"{row.method.lower()}_{words}".replace(".", "_").replace("-", "_"),
        "summary": row.summary,
        "tags": [row.tag],
        "parameters": [*_path_parameters(row), *_query_parameters(row, schemas), *_header_parameters(row)],
        "responses": _responses(row),
    }
    if not row.access.open:
        operation["security"] = [{"bearer": []}, {"cookie": []}]
        operation["x-consentry-sessions"] = sorted(row.access.takes)
    else:
        operation["security"] = []
    if row.body is not None:
        reference = {"schema": {"$ref": _REF.format(model=row.body.__name__)}}
        content = {JSON: reference, **({FORM: reference} if row.form else {})}
        operation["requestBody"] = {"required": not row.body_optional, "content": content}
    return operation


def _path_parameters(row: Endpoint) -> list[Document]:
    names = [part.strip("{}").removesuffix(":path") for part in row.path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 320}}
        for name in names
    ]


def _query_parameters(row: Endpoint, schemas: dict[str, object]) -> list[Document]:
    if row.query is None:
        return []
    schema = schemas.pop(row.query.__name__, None) or row.query.model_json_schema(ref_template=_REF)
    required = schema.get("required", [])  # type: ignore[attr-defined]
    found = []
    for name, shape in schema["properties"].items():  # type: ignore[index]
        shape = dict(shape)
        parameter = {"name": name, "in": "query", "required": name in required}
        if "description" in shape:
            parameter["description"] = shape.pop("description")
        found.append({**parameter, "schema": _without_null(shape)})
    return found


def _without_null(shape: dict[str, object]) -> object:
    """A query has no way to write null: leaving the name out says it."""
    choices = shape.get("anyOf")
    if not isinstance(choices, list):
        return shape
    kept = [one for one in choices if one != {"type": "null"}]
    rest = {name: value for name, value in shape.items() if name not in ("anyOf", "default")}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}


def _header_parameters(row: Endpoint) -> list[Document]:
    text = {"type": "string"}
    if (row.method, row.path) == ("POST", "/v1/actions"):
        return [{"name": "Idempotency-Key", "in": "header", "schema": {**text, "minLength": 1, "maxLength": 200}}]
    if row.path == "/v1/events":
        return [{"name": "Last-Event-ID", "in": "header", "schema": {**text, "pattern": "^[0-9]{1,15}$"}}]
    return []


def _responses(row: Endpoint) -> Document:
    content: Document | None = None
    if row.answer is not None:
        content = {JSON: {"schema": {"$ref": _REF.format(model=row.answer.__name__)}}}
    elif row.status != HTTPStatus.NO_CONTENT:
        content = {row.media: {"schema": {"type": "object" if row.media == JSON else "string"}}}
    good: Document = {"description": HTTPStatus(row.status).phrase}
    if content is not None:
        good["content"] = content
    return {str(row.status): good, **_problems(row)}


def _problems(row: Endpoint) -> Document:
    """Every status with its codes. Bodies bring their own ways to be wrong."""
    errors: set[type[ConsentryError]] = {*row.errors, CrossSite, _NotAcceptedMethod}
    if not row.access.open:
        errors |= {NotSignedIn, NotAllowed}
    if row.body is not None:
        errors |= {InvalidInput, NotExact, TooLarge, UnsupportedMedia, InvalidBody}
    if row.query is not None:
        errors |= {InvalidBody}
    if "{" in row.path:
        from consentry.errors import NotFound

        errors |= {NotFound}
    by_status: dict[int, set[str]] = {}
    for error in errors:
        by_status.setdefault(error.status, set()).add(error.code)
    from consentry.errors import Unavailable

    by_status.setdefault(Unavailable.status, set()).add(Unavailable.code)
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in sorted(codes))}",
            "content": {MEDIA: {"schema": schema}},
        }
        for status, codes in sorted(by_status.items())
    }
