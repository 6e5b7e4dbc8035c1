"""What a card may hold: the part of the Adaptive Cards 1.5 schema that ours use, strictly. Anything else is an error.

https://adaptivecards.io/explorer/ (1.5; `msteams` is Teams' own). Properties of 1.6, such as `targetWidth`, `grid.area`
or elements such as `CodeBlock` and `CompoundButton`, are unknown here, as they are to Teams' older clients.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "minLength": 1}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _kind(name: str, properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return _object({"type": {"const": name}, **properties}, "type", *required)


SPACING = {"enum": ["none", "small", "default", "medium", "large"]}
OPEN = _kind("Action.OpenUrl", {"title": TEXT, "url": {"type": "string", "pattern": "^https?://"}}, "title", "url")
EXECUTE = _kind(
    "Action.Execute",
    {
        "title": TEXT,
        "verb": {"type": "string", "pattern": "^consentry_[a-z]+$"},
        "data": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 200}},
        "style": {"enum": ["positive", "destructive"]},
        "associatedInputs": {"const": "none"},
        "fallback": {"anyOf": [{"const": "drop"}, OPEN]},
    },
    "title",
    "verb",
    "data",
)
ACTION = {"anyOf": [OPEN, EXECUTE]}
RUN = _kind(
    "TextRun",
    {
        "text": TEXT,
        "fontType": {"const": "monospace"},
        "weight": {"const": "bolder"},
        "isSubtle": {"type": "boolean"},
        "selectAction": OPEN,
    },
    "text",
)
RICH = _kind(
    "RichTextBlock",
    {"inlines": {"type": "array", "items": RUN, "minItems": 1}, "id": TEXT, "spacing": SPACING},
    "inlines",
)
HEADING = _kind(
    "TextBlock",
    {
        "id": TEXT,
        "text": {"type": "string", "pattern": r"^[A-Za-z0-9 ,:?()]+$"},  # read as Markdown: words of ours only
        "style": {"const": "heading"},
        "wrap": {"const": True},
        "size": {"const": "large"},
        "weight": {"const": "bolder"},
    },
    "id",
    "text",
)
FIELD = _kind(
    "Input.Text",
    {
        "id": TEXT,
        "label": TEXT,
        "isMultiline": {"type": "boolean"},
        "maxLength": {"type": "integer", "maximum": 4000},
    },
    "id",
)
SET = _kind("ActionSet", {"actions": {"type": "array", "items": OPEN}}, "actions")
CARD = _kind(
    "AdaptiveCard",
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "version": {"const": "1.5"},
        "fallbackText": TEXT,
        "msteams": _object({"width": {"const": "Full"}}, "width"),
        "body": {"type": "array", "items": {"anyOf": [HEADING, RICH, FIELD, SET]}, "minItems": 1},
        "actions": {"type": "array", "items": ACTION, "maxItems": 6},
        "refresh": _object(
            {
                "action": EXECUTE,
                "userIds": {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^8:orgid:[0-9a-f-]{36}$"},
                    "minItems": 1,
                    "maxItems": 60,
                },
            },
            "action",
            "userIds",
        ),
    },
    "version",
    "body",
)
