"""Why identity says no."""

from __future__ import annotations

from consentry.errors import ConsentryError, InvalidInput, NotFound


class NotSignedIn(ConsentryError):
    """There is no token, or it is not one that holds: unknown, used, ended or expired. It does not say which."""

    code = "not_signed_in"
    status = 401
    challenge = "Bearer"
    """What `WWW-Authenticate` says (RFC 9110, section 11.6.1)."""


class UnknownPerson(NotFound):
    """There is no such person."""

    code = "unknown_person"


class UnknownAgent(NotFound):
    """There is no such agent."""

    code = "unknown_agent"


class UnknownGroup(NotFound):
    """There is no such group, or the person is not in it."""

    code = "unknown_group"


class UnknownIdentity(NotFound):
    """There is no such linked identity."""

    code = "unknown_identity"


class UnknownSession(NotFound):
    """There is no such session, or it is not the asker's."""

    code = "unknown_session"


class LastAdministrator(ConsentryError):
    """Nobody would be left who may administer."""

    code = "last_administrator"
    status = 409


class NameTaken(ConsentryError):
    """Another agent has this name."""

    code = "name_taken"
    status = 409


class IdentityTaken(ConsentryError):
    """The identity is linked to another person; merge the two where they are one."""

    code = "identity_taken"
    status = 409


class InvalidExchange(InvalidInput):
    """The tokens of an exchange do not make a chain (RFC 8693)."""

    code = "invalid_exchange"
