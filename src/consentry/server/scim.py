"""The SCIM service behind its door: paths, queries and bodies in the library's models, and back. See `routes.scim`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    ListResponse,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    Schema,
    SCIMException,
    ScimFilter,
    SearchRequest,
)
from starlette.responses import Response

from consentry.errors import ConsentryError, InvalidInput, NotFound
from consentry.identity.scim import Page, Scim
from consentry.identity.scim_models import MOST_RESULTS, POLICY, Group, User, provider
from consentry.server.problems import NotAcceptedMethod, UnknownPath
from consentry.server.routes.scim import MEDIA
from consentry.store import Store

R = TypeVar("R", User, Group)
Query = Mapping[str, str]
Body = Callable[[], Awaitable[dict[str, object]]]
"""Reads and parses the body, once it is known that the path takes one."""
_DISCOVERY = {"ServiceProviderConfig", "ResourceTypes", "Schemas"}


class ScimInvalid(InvalidInput):
    """The library's word on what a client sent."""

    code = "scim_invalid"
    scim_type: str | None = None

    def __init__(self, error: Error) -> None:
        super().__init__(error.detail or "the request is not SCIM")
        self.scim_type = error.scim_type


@contextmanager
def refuse() -> Iterator[None]:
    """The library's complaints as our refusals."""
    try:
        yield
    except SCIMException as error:
        raise ScimInvalid(error.to_error()) from None
    except RecursionError:
        raise InvalidInput("a filter or path nests too deep") from None
    except ValidationError as error:
        raise ScimInvalid(Error.from_validation_error(error.errors(include_url=False)[0])) from None


class Service:
    """One SCIM service: what each path answers."""

    def __init__(self, store: Store, base: str) -> None:
        self._scim = Scim(store, base)
        self._base = base
        self._about = provider(base)

    async def answer(self, method: str, parts: list[str], query: Query, body: Body) -> Response:
        """The answer to one call. Raises `ConsentryError`, `SCIMException`, `ValidationError`."""
        kind, rest = parts[0], parts[1:]
        if kind in _DISCOVERY:
            return self._discover(method, kind, rest, query)
        if kind in ("Users", "Groups"):
            if not rest:
                return await self._collection(method, kind, query, body)
            if rest == [".search"]:
                return await self._search(method, (kind,), body)
            if len(rest) == 1:
                return await self._one(method, kind, rest[0], query, body)
        if parts == [".search"]:
            return await self._search(method, ("Users", "Groups"), body)
        raise UnknownPath("there is nothing at this path of SCIM")

    def _discover(self, method: str, kind: str, rest: list[str], query: Query) -> Response:
        if method != "GET":
            raise NotAcceptedMethod("this path of SCIM takes `GET`")
        if "filter" in query:  # RFC 7644 section 4
            raise Filtered("what the service says of itself is not filtered")
        if kind == "ServiceProviderConfig" and not rest:
            config = self._about.config
            assert config is not None
            return _respond(config, Context.RESOURCE_QUERY_RESPONSE)
        found: tuple[ResourceType | Schema, ...]
        found = self._about.resource_types if kind == "ResourceTypes" else self._about.schemas
        if kind == "ServiceProviderConfig" or len(rest) > 1:
            raise UnknownPath("there is nothing at this path of SCIM")
        if not rest:
            model: Any = ListResponse[ResourceType] if kind == "ResourceTypes" else ListResponse[Schema]
            listed = model(total_results=len(found), start_index=1, items_per_page=len(found), resources=list(found))
            return _respond(listed, Context.RESOURCE_QUERY_RESPONSE)
        one = next((each for each in found if each.id == rest[0]), None)
        if one is None:
            raise NotFound("the service has no such schema or resource type")
        return _respond(one, Context.RESOURCE_QUERY_RESPONSE)

    async def _collection(self, method: str, kind: str, query: Query, body: Body) -> Response:
        if method == "GET":
            request: Any = SearchRequest[_model(kind)].model_validate(dict(query), scim_policy=POLICY)  # type: ignore[misc]
            return await self._found((kind,), request)
        if method != "POST":
            raise NotAcceptedMethod("this path of SCIM takes `GET` and `POST`")
        if kind == "Users":
            user = User.model_validate(await body(), scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
            return self._made(await self._scim.create_user(user), query)
        group = Group.model_validate(await body(), scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
        return self._made(await self._scim.create_group(group), query)

    def _made(self, one: User | Group, query: Query) -> Response:
        answer = _respond(one, Context.RESOURCE_CREATION_RESPONSE, query, status=201)
        answer.headers["location"] = str(one.meta.location) if one.meta else self._base
        return answer

    async def _one(self, method: str, kind: str, name: str, query: Query, body: Body) -> Response:
        scim, users = self._scim, kind == "Users"
        if method == "GET":
            found = await scim.user(name) if users else await scim.group(name)
            return _respond(found, Context.RESOURCE_QUERY_RESPONSE, query)
        if method == "DELETE":
            await (scim.delete_user(name) if users else scim.delete_group(name))
            return Response(status_code=204, headers={"cache-control": "no-store"})
        if method == "PUT":
            context = Context.RESOURCE_REPLACEMENT_REQUEST
            if users:
                user = User.model_validate(await body(), scim_ctx=context, scim_policy=POLICY)
                return _respond(await scim.replace_user(name, user), Context.RESOURCE_REPLACEMENT_RESPONSE, query)
            group = Group.model_validate(await body(), scim_ctx=context, scim_policy=POLICY)
            return _respond(await scim.replace_group(name, group), Context.RESOURCE_REPLACEMENT_RESPONSE, query)
        if method != "PATCH":
            raise NotAcceptedMethod("this path of SCIM takes `GET`, `PUT`, `PATCH` and `DELETE`")
        context = Context.RESOURCE_PATCH_REQUEST
        if users:
            change = PatchOp[User].model_validate(await body(), scim_ctx=context, scim_policy=POLICY)
            return _respond(await scim.patch_user(name, change), Context.RESOURCE_PATCH_RESPONSE, query)
        changes = PatchOp[Group].model_validate(await body(), scim_ctx=context, scim_policy=POLICY)
        return _respond(await scim.patch_group(name, changes), Context.RESOURCE_PATCH_RESPONSE, query)

    async def _search(self, method: str, kinds: tuple[str, ...], body: Body) -> Response:
        if method != "POST":
            raise NotAcceptedMethod("this path of SCIM takes `POST`")
        model: Any = SearchRequest[_model(kinds[0]) if len(kinds) == 1 else User | Group]  # type: ignore[misc]
        request = model.model_validate(await body(), scim_ctx=Context.SEARCH_REQUEST, scim_policy=POLICY)
        return await self._found(kinds, request)

    async def _found(self, kinds: tuple[str, ...], request: Any) -> Response:
        """One page of what was found: users before groups, where both are asked for."""
        start = request.start_index or 1
        left = MOST_RESULTS if request.count is None else min(request.count, MOST_RESULTS)
        total, items = 0, list[User | Group]()
        for kind in kinds:
            page = await self._page(kind, request.filter, max(1, start - total), left)
            total += page.total
            items += page.items
            left -= len(page.items)
        listed = ListResponse[User | Group](
            total_results=total, start_index=start, items_per_page=len(items), resources=items or None
        )
        data = listed.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=request)
        return Response(data, 200, {"cache-control": "no-store"}, MEDIA)

    async def _page(self, kind: str, text: object, start: int, count: int) -> Page[User] | Page[Group]:
        if kind == "Users":
            return await self._scim.users(_bound(User, text), start, count)
        return await self._scim.groups(_bound(Group, text), start, count)


class Filtered(ConsentryError):
    """Discovery is not filtered."""

    code = "scim_filtered"
    status = 403


def _model(kind: str) -> type[User] | type[Group]:
    return User if kind == "Users" else Group


def _bound(model: type[R], text: object) -> ScimFilter[R] | None:
    return None if text is None else ScimFilter[model](str(text))  # type: ignore[valid-type]


def _respond(
    one: Resource[Any] | ListResponse[Any], context: Context, query: Query | None = None, *, status: int = 200
) -> Response:
    chosen = {name: value for name, value in (query or {}).items() if name in ("attributes", "excludedAttributes")}
    parameters: Any = ResponseParameters.model_validate(chosen, scim_policy=POLICY) if chosen else None
    data = one.model_dump_json(scim_ctx=context, response_parameters=parameters)
    return Response(data, status, {"cache-control": "no-store"}, MEDIA)
