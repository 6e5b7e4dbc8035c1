"""Keys of one object that a transform made equal, kept apart: `<EMAIL_ADDRESS>`, `<EMAIL_ADDRESS>_2`, and so on.

Readers of JSON and maps of Arrow keep one of several equal keys, so what stands under the others would be lost. The
numbers follow the order in the object, so a second run, which takes them off or leaves them, arrives at the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from consentry.sanitize.files.json_tokens import Leaf


def apart(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The new keys of one object, as distinct as the old ones were: keys that were equal stay equal."""
    taken = {after for before, after in zip(old, new, strict=True) if before == after}
    given = {key: key for key in taken}
    counts: dict[str, int] = defaultdict(lambda: 1)
    for before, after in zip(old, new, strict=True):
        if before in given:
            continue
        name = after
        while name in taken:
            counts[after] += 1
            name = f"{after}_{counts[after]}"
        taken.add(name)
        given[before] = name
    return [given[before] for before in old]


def in_objects(found: Sequence[Leaf], new: Mapping[int, str]) -> dict[int, str]:
    """The new values of leaves, by their place among all that were found, with the keys of each object kept apart."""
    out = dict(new)
    objects: dict[int, list[int]] = defaultdict(list)
    for at, leaf in enumerate(found):
        if leaf.kind == "key":
            objects[leaf.owner].append(at)
    for places in objects.values():
        if len(places) < 2 or not any(at in new for at in places):
            continue
        old = [found[at].value for at in places]
        for at, before, name in zip(
            places, old, apart(old, [new.get(at, found[at].value) for at in places]), strict=True
        ):
            if name != before:
                out[at] = name
            else:
                out.pop(at, None)
    return out
