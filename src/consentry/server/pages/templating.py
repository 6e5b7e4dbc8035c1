"""The templates, always escaping: there is no template whose output is not HTML."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from consentry.consent.preview import visible
from consentry.server.pages import assets, icons, states, text


@cache
def environment() -> Environment:
    """The one environment: autoescape for every name, an undefined variable is an error."""
    env = Environment(
        loader=PackageLoader("consentry.server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(asset=assets.url, icon=icons.icon, look=states.look)
    env.filters.update(
        marked=text.marked,
        visible=visible,
        seen=text.seen,
        seen_lines=text.seen_lines,
        short=text.short,
        exact_time=text.exact_time,
        iso_time=text.iso_time,
        relative_time=text.relative_time,
        clock=text.clock,
        span=text.span,
        initials=text.initials,
        hue=text.hue,
        number=text.number,
        compact=text.compact,
    )
    return env


def render(template: str, **values: object) -> Markup:
    """The page as HTML."""
    return Markup(environment().get_template(template).render(values))  # noqa: S704 - the template escaped it
