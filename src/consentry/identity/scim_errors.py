"""Why SCIM says no, each with the `scimType` of RFC 7644 section 3.12."""

from __future__ import annotations

from typing import ClassVar

from consentry.errors import ConsentryError, InvalidInput, NotFound


class ScimConflict(ConsentryError):
    """Another user or group has this name or address."""

    code = "scim_conflict"
    status = 409
    scim_type: ClassVar[str] = "uniqueness"


class ScimRefused(InvalidInput):
    """The value cannot be kept."""

    code = "scim_refused"
    scim_type: ClassVar[str] = "invalidValue"


class ScimTooMany(InvalidInput):
    """The filter would have to read more than the server does at once."""

    code = "scim_too_many"
    scim_type: ClassVar[str] = "tooMany"


class ScimUnknown(NotFound):
    """There is no such user or group."""

    code = "scim_unknown"


class Managed(ConsentryError):
    """The identity provider has the word over this person or group."""

    code = "managed_by_provider"
    status = 409
