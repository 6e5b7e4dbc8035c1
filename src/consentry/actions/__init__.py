"""Actions: what somebody tries to do, exactly, and the digest that names it. Pure."""

from consentry.actions.action import Action, Actor, InvalidAction, Kind, Operand, parse_operands
from consentry.actions.ids import new_id
from consentry.actions.json import Json, JsonObject, NotExact, canonical, encode_bytes, parse, parse_object

__all__ = [
    "Action",
    "Actor",
    "InvalidAction",
    "Json",
    "JsonObject",
    "Kind",
    "NotExact",
    "Operand",
    "canonical",
    "encode_bytes",
    "new_id",
    "parse",
    "parse_object",
    "parse_operands",
]
