"""Slack's blocks as HTML, near enough to what Slack shows for a picture in the documents. Not Slack's own renderer."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

CSS = """
body{margin:0;background:#fff;font:15px/1.46 Lato,"Helvetica Neue",Arial,sans-serif;color:#1d1c1d}
main{width:680px;padding:20px}
.post{display:grid;grid-template-columns:36px 1fr;gap:8px}
.face{width:36px;height:36px;border-radius:6px;background:#1f3a5f;color:#fff;display:grid;
  place-items:center;font-weight:900}
.name{font-weight:900}
.app{background:#e8e8e8;font-size:10px;font-weight:700;border-radius:3px;padding:1px 4px;margin:0 6px}
.when{color:#616061;font-size:12px}
h3{font-size:18px;margin:6px 0}
.section{margin:6px 0;white-space:pre-wrap;overflow-wrap:anywhere}
.context{color:#616061;font-size:13px;margin:6px 0}
code{font:12px/1.5 Menlo,Consolas,monospace;color:#c01343;background:#f8f8f8;border:1px solid #ddd;
  border-radius:3px;padding:1px 3px}
pre{font:12px/1.5 Menlo,Consolas,monospace;background:#f8f8f8;border:1px solid #ddd;border-radius:4px;
  padding:8px;margin:4px 0;white-space:pre-wrap;overflow-wrap:anywhere}
a{color:#1264a3;text-decoration:none}
.buttons{display:flex;gap:8px;margin:8px 0}
.button{border:1px solid #bbb;border-radius:4px;font-weight:700;padding:4px 12px}
.primary{background:#007a5a;border-color:#007a5a;color:#fff}
.danger{border-color:#e01e5a;color:#e01e5a}
.thread{border-left:2px solid #ddd;margin:10px 0 0 44px;padding-left:12px;color:#1d1c1d}
.modal{border:1px solid #ccc;border-radius:10px;box-shadow:0 10px 30px #0003}
.modal header,.modal footer{padding:14px 20px;font-weight:900;font-size:18px;border-bottom:1px solid #ddd}
.modal footer{border:0;border-top:1px solid #ddd;display:flex;justify-content:flex-end;gap:8px;font-size:15px}
.modal .inner{padding:4px 20px 14px}
label{font-weight:700}
textarea{width:100%;box-sizing:border-box;height:56px;border:1px solid #bbb;border-radius:4px;margin:4px 0}
"""


def page(inner: str) -> str:
    """A whole document around something that was rendered here."""
    head = f"<head><meta charset=utf-8><style>{CSS}</style></head>"
    return f"<!doctype html><html>{head}<body><main>{inner}</main></body></html>"


def post(message: Mapping[str, object], thread: Sequence[Mapping[str, object]] = ()) -> str:
    """A message as it stands in a channel, with what was said beneath it."""
    said = "".join(f'<div class="thread">{mrkdwn(str(one["text"]))}</div>' for one in thread)
    head = '<span class="name">consentry</span><span class="app">APP</span><span class="when">10:15</span>'
    return f'<div class="post"><div class="face">C</div><div>{head}{blocks(message["blocks"])}</div></div>{said}'


def modal(view: Mapping[str, object]) -> str:
    """An open dialog."""
    title, submit, close = (_text(view[part]) for part in ("title", "submit", "close"))
    return (
        f'<div class="modal"><header>{title}</header><div class="inner">{blocks(view["blocks"])}</div>'
        f'<footer><span class="button">{close}</span><span class="button primary">{submit}</span></footer></div>'
    )


def blocks(found: object) -> str:
    assert isinstance(found, list)
    return "".join(_block(one) for one in found)


def _block(block: Mapping[str, object]) -> str:
    kind = block["type"]
    if kind == "header":
        return f"<h3>{_text(block['text'])}</h3>"
    if kind == "section":
        return f'<div class="section">{_text(block["text"])}</div>'
    if kind == "context":
        return "".join(f'<div class="context">{_text(one)}</div>' for one in block["elements"])  # type: ignore[attr-defined]
    if kind == "actions":
        shown = "".join(
            f'<span class="button {one.get("style", "")}">{_text(one["text"])}</span>'
            for one in block["elements"]  # type: ignore[attr-defined]
        )
        return f'<div class="buttons">{shown}</div>'
    if kind == "input":
        return f"<div class=section><label>{_text(block['label'])} (optional)</label><textarea></textarea></div>"
    raise ValueError(f"no picture of `{kind}`")


def _text(found: object) -> str:
    assert isinstance(found, Mapping)
    text = str(found["text"])
    return html.escape(html.unescape(text)) if found["type"] == "plain_text" else mrkdwn(text)


def mrkdwn(text: str) -> str:
    """Slack's markup, as far as it is used. Its escapes are HTML's own."""
    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(_code(part) if part.startswith("`") else _marked(part) for part in parts)


def _code(part: str) -> str:
    if part.startswith("```"):
        return f"<pre>{part[3:-3].strip(chr(10))}</pre>"
    return f"<code>{part[1:-1]}</code>"


def _marked(text: str) -> str:
    text = re.sub(r"<!date\^[^|>]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<(https?://[^|>]*)\|([^>]*)>", r'<a href="#">\2</a>', text)
    return re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text)
