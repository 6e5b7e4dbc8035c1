"""A profile's rules become transforms, with their keys and the vault."""

from __future__ import annotations

from consentry.errors import InvalidInput
from consentry.sanitize.profiles.profile import Profile, Rule
from consentry.sanitize.transforms.base import Transform
from consentry.sanitize.transforms.coarse import Generalise
from consentry.sanitize.transforms.dates import DateShift
from consentry.sanitize.transforms.hashing import KeyedHash
from consentry.sanitize.transforms.keys import KeyRing
from consentry.sanitize.transforms.plan import Plan, Step
from consentry.sanitize.transforms.shapes import KeepShape
from consentry.sanitize.transforms.simple import Keep, Mask, Redact, Replace
from consentry.sanitize.transforms.surrogates import Surrogate
from consentry.sanitize.transforms.vault import Tokenise, Vault


def build_plan(profile: Profile, keys: KeyRing | None) -> Plan:
    """See `Profile.plan`."""
    ring = keys or KeyRing.from_reference(profile.key)
    steps = {name: _step(rule, profile, ring) for name, rule in profile.types.items()}
    return Plan(steps, _step(profile.default, profile, ring))


def open_vault(profile: Profile) -> Vault:
    """The profile's vault, to tokenise or to `reveal`. Raises `InvalidInput` where it names none."""
    from consentry.sanitize.transforms.vault_stores import open_store

    place = profile.vault
    if place is None:
        raise InvalidInput(f"the profile `{profile.name}` makes tokens and names no vault; add `[vault] url, key`")
    return Vault(open_store(place.url), KeyRing.from_reference(place.key))


def _step(rule: Rule, profile: Profile, keys: KeyRing) -> Step:
    score = profile.min_score if rule.min_score is None else rule.min_score
    return Step(rule.transform, _transform(rule, profile, keys), score)


def _transform(rule: Rule, profile: Profile, keys: KeyRing) -> Transform:
    match rule.transform:
        case "keep":
            return Keep()
        case "redact":
            return Redact()
        case "replace":
            return Replace()
        case "mask":
            return Mask(rule.keep_last)
        case "hash":
            return KeyedHash(keys)
        case "token":
            return Tokenise(open_vault(profile))
        case "fpe":
            return KeepShape(keys, rule.luhn, rule.keep_first)
        case "date-shift":
            return DateShift(keys, rule.days, rule.order)
        case "generalise":
            return Generalise(rule.age_band, rule.postal_prefix, rule.bucket, rule.order)
        case "surrogate":
            return Surrogate(keys)
