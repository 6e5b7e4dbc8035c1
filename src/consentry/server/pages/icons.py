"""Line icons, drawn for these pages on a grid of 16 by 16. Decoration only: a word always stands beside or inside."""

from __future__ import annotations

from markupsafe import Markup

_PATHS = {
    "brand": '<circle cx="8" cy="8" r="6.25"/><path d="M5 8.2 7.2 10.4 11.2 6"/>',
    "inbox": '<path d="M2 9.5 4 3h8l2 6.5V13H2z"/><path d="M2 9.5h3.5l1 1.75h3l1-1.75H14"/>',
    "history": '<path d="M2.5 8A5.5 5.5 0 1 0 4.2 4"/><path d="M2.5 2.5v2.75h2.75M8 5v3.25l2 1.25"/>',
    "glass": '<path d="M8 1.75 14.5 13.5h-13z"/><path d="M8 6.25v3.25M8 11.5v.01"/>',
    "key": '<circle cx="5.25" cy="10.75" r="2.75"/><path d="m7.25 8.75 5.5-5.5M10.5 5.5l2 2"/>',
    "away": '<rect x="2" y="3" width="12" height="11" rx="1.5"/><path d="M2 6.5h12M5 1.5v3M11 1.5v3"/>',
    "chain": '<rect x="1.75" y="5.75" width="4.5" height="4.5" rx="1"/>'
    '<rect x="9.75" y="5.75" width="4.5" height="4.5" rx="1"/><path d="M6.25 8h3.5"/>',
    "policy": '<path d="M3 1.75h7l3 3v9.5H3z"/><path d="M10 1.75v3h3M5.5 8h5M5.5 11h5"/>',
    "people": '<circle cx="6" cy="5" r="2.5"/><path d="M1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 2.75a2.5 2.5 0 0 1 '
    '0 4.5M12 9.9c1.6.6 2.5 1.9 2.5 3.6"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 5.5v-3h-8v8h3"/>',
    "done": '<path d="m3 8.5 3.25 3.25L13 5"/>',
    "cross": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "clock": '<circle cx="8" cy="8" r="6"/><path d="M8 4.75V8l2.25 1.5"/>',
    "info": '<circle cx="8" cy="8" r="6"/><path d="M8 7.25v3.5M8 5.1v.01"/>',
    "back": '<path d="M9.5 3.5 5 8l4.5 4.5"/>',
    "menu": '<path d="M2 4.5h12M2 8h12M2 11.5h12"/>',
    "theme": '<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor"/>',
    "help": '<circle cx="8" cy="8" r="6"/><path d="M6.25 6.25c.2-1.1 1-1.6 1.9-1.6 1 0 1.8.7 1.8 1.6 0 1.2-1.9 1.4-1.9 '
    '2.7M8.05 11.3v.01"/>',
    "leave": '<path d="M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6"/>',
    "download": '<path d="M8 2v8M4.75 7 8 10.25 11.25 7M2.5 13.5h11"/>',
    "agent": '<rect x="2.5" y="5" width="11" height="8" rx="2"/><path d="M8 5V2.5M5.75 8.5v1M10.25 8.5v1"/>',
    "person": '<circle cx="8" cy="5" r="2.75"/><path d="M2.75 14c0-2.9 2.3-4.75 5.25-4.75s5.25 1.85 5.25 4.75"/>',
    "service": '<rect x="2.5" y="2.5" width="11" height="4.5" rx="1.25"/>'
    '<rect x="2.5" y="9" width="11" height="4.5" rx="1.25"/><path d="M5 4.75h.01M5 11.25h.01"/>',
    "lock": '<rect x="3" y="7" width="10" height="7" rx="1.5"/>'
    '<path d="M5.25 7V5a2.75 2.75 0 0 1 5.5 0v2M8 9.75v1.5"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
}


def icon(name: str, size: int = 16) -> Markup:
    """An icon as inline SVG, hidden from readers of the screen."""
    body = Markup(_PATHS[name])  # noqa: S704 - written above
    return Markup(
        '<svg width="{0}" height="{0}" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5"'
        ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{1}</svg>'
    ).format(size, body)
