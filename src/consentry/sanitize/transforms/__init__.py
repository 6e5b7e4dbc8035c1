"""What takes a found value's place. `apply` is pure; keys and the vault come in through the `Plan`."""

from consentry.sanitize.transforms.apply import Applied, Replacement, apply, finish, settle
from consentry.sanitize.transforms.base import About, CannotTransform, Transform
from consentry.sanitize.transforms.keys import KeyRing, KeyUnusable
from consentry.sanitize.transforms.plan import Plan, Step

__all__ = [
    "About",
    "Applied",
    "CannotTransform",
    "KeyRing",
    "KeyUnusable",
    "Plan",
    "Replacement",
    "Step",
    "Transform",
    "apply",
    "finish",
    "settle",
]
