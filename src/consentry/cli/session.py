"""`login`, `logout`, `whoami`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer

from consentry.cli.output import AsJson, document, moment, say, tell


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("login")(login)
    app.command("logout")(logout)
    app.command("whoami")(whoami)


def login(
    link: Annotated[
        str | None, typer.Argument(help="The one-time link, or its token. Asked for where it is left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign in with a one-time link; keeps the session in your configuration folder, for you alone."""
    from consentry.cli import api, saved

    text = link or _asked()
    url, token = _read(text.strip(), api.where())
    with api.connect(url, "") as server:
        answer = server.post("/v1/sessions", {"token": token})
    place = saved.save(saved.Saved(url, str(answer["session"])))
    if as_json:
        document({name: value for name, value in answer.items() if name != "session"})
    else:
        say(f"signed in at {url} as {answer['name']} until {moment(answer['expires_at'])}")
        tell(f"the session is kept in {place}")


def logout(as_json: AsJson = False) -> None:
    """End the session on the server and forget it here."""
    from consentry.cli import api, saved
    from consentry.errors import ConsentryError

    kept = saved.load()
    if kept is not None:
        try:
            with api.connect(kept.url, kept.token) as server:
                server.delete("/v1/sessions/current")
        except ConsentryError as error:
            if error.code != "not_signed_in":
                tell(f"forgotten here only: {error}")
    forgot = saved.forget()
    document({"signed_out": forgot}) if as_json else say("signed out" if forgot else "nobody was signed in")


def whoami(as_json: AsJson = False) -> None:
    """Say who the server takes you for."""
    from consentry.cli import api

    with api.connect() as server:
        who = server.get("/v1/sessions/current")
        if as_json:
            document(who)
            return
        groups = who["groups"]
        assert isinstance(groups, list)
        say(f"{who['name']} ({who['kind']} {who['subject']}) at {server.url}")
        if who["email"]:
            say(f"  {who['email']}, in {', '.join(map(str, groups)) or 'no group'}")
        if who["expires_at"]:
            say(f"  until {moment(who['expires_at'])}")


def _asked() -> str:
    """The link from the terminal, unseen, or a line of what is piped in."""
    import sys

    if sys.stdin.isatty():
        return str(typer.prompt("one-time link", hide_input=True, err=True))
    line = sys.stdin.readline().strip()
    if not line:
        from consentry.errors import InvalidInput

        raise InvalidInput("name the one-time link: `consentry login LINK`; an administrator makes one")
    return line


def _read(text: str, url: str) -> tuple[str, str]:
    """The server and the token of a link; a bare token is for the server at hand."""
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.fragment.startswith("token="):
        return f"{parts.scheme}://{parts.netloc}", parts.fragment.removeprefix("token=")
    return url, text
