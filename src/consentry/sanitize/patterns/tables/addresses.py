"""Street addresses: a number and a street's name, in the orders and words of many countries.

Sources: USPS Publication 28 (suffixes, units, boxes, military addresses); Universal Postal Union, addressing systems.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.patterns.pattern import Pattern

_L = r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1fff]"
_CAP = r"[A-Z\u00c0-\u00de\u0100-\u017f\u0386-\u03ab\u0410-\u042f]"
_IN_WORD = _L.replace("]", "'’.-]")
_PARTICLE = r"(?:de|da|do|dos|das|di|del|della|delle|dei|la|le|les|van|der|den|of|the|du|des|sv\.|St\.) "
_WORD = rf"(?:{_CAP}|[dloe]['’]|{_PARTICLE}){_IN_WORD}{{0,24}}+"
_NAME = rf"{_WORD}(?: {_WORD}){{0,4}}"
_ANY = rf"{_L}{_IN_WORD}{{0,24}}+"
_NUMBER_ON = r"\d{0,4}(?:[A-Za-z](?!\w)|-\d{1,4}|/\d{1,3})?"
_NUMBER = rf"\d{_NUMBER_ON}"
_STREETS = """
Street St Avenue Ave Road Rd Boulevard Blvd Lane Ln Drive Dr Court Ct Place Pl Square Sq Terrace Parkway Pkwy
Highway Hwy Crescent Cres Alley Mews Wharf Quay Gardens Esplanade Turnpike Expressway Freeway Bypass Plaza
""".split()  # noqa: SIM905
_MAYBE_STREETS = """
Way Close Row Circle Trail Grove Hill Rise Cove Coves Park Heights Pike Loop Ridge Green View Vale Walk Passage
Junction
""".split()  # noqa: SIM905
"""Words that as often end the name of something else: they count where something near says that it is a place."""
_PLAIN_FORMS = "street avenue ave road rd boulevard blvd lane drive parkway crescent terrace st".split()  # noqa: SIM905
_PLAIN_SUFFIX = f"(?:{'|'.join(_PLAIN_FORMS)})"
_COMPOUNDS = (
    r"strasse|straße|str|gasse|weg|platz|allee|damm|ufer|ring|berg|hof|park|straat|laan|gracht|kade|plein|dreef|"
    r"singel|steeg|pad|baan|gade|vej|vejen|stræde|gata|gatan|vägen|väg|veien|vei|gate|gaten|bakken|"
    r"backe|backen|gränd|stigen|stien|katu|tie|polku|kuja|tänav|maantee|tee|utca|útja|körút|tér|"
    r"braut|gata|vegur|stígur|tún|holt|ulice|nábřeží|náměstí"
)
_COMPOUND = f"(?:{_COMPOUNDS})"
_KIND = (
    r"(?:rua|r|avenida|avda|av|calle|c/|paseo|plaza|rúa|carrer|piazza|piazzale|via|viale|vicolo|corso|largo|travessa|"
    r"estrada|alameda|praça|rue|avenue|boulevard|bd|place|quai|chemin|impasse|allée|cours|route|ul|ulica|"
    r"al|aleja|aleje|pl|plac|os|strada|str|bulevardul|trg|cesta|nám|ul\.|ulitsa)"
)
_PART = _L.replace("]", ".'-]")


def _ended() -> str:
    """A look back at a word that ends in the kind of a street: alternatives of one length each, as `re` asks."""
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for kind in sorted(set(_COMPOUNDS.split("|"))):
        by_length[len(kind)].append(kind)
    kinds = [f"(?:{'|'.join(mine)})" for _, mine in sorted(by_length.items())]
    return "(?:" + "|".join(rf"(?<={_PART}{kind}{dot})" for kind in kinds for dot in ("", r"\.")) + ")"


_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_UNIT = r"(?:apt|apartment|suite|ste|unit|flat|room|rm|floor|fl)\.? ?#?\d{1,5}[a-z]?(?!\w)"
_UNITS = rf"(?:[ ,]{{0,2}}\n?[ ]{{0,4}}{_UNIT}){{0,2}}"
_BEFORE = rf"(?:{_NUMBER},? ){{0,2}}"
_WORD_BEGINS = rf"(?:{_CAP}|[dloe]['’]|{_PARTICLE})"
_TO_UNIT = rf"(?: (?:\d|{_WORD_BEGINS})|[ ,]{{0,2}}\n?[ ]{{0,4}}(?:Apt|Suite|Unit|Ste))"
"""What follows each word of a name before a unit."""


def _street(name: str, words: list[str], score: float, lift: float) -> Pattern:
    """A house number, a name and one of these words."""
    forms = [form for word in words for form in (word, word.upper())]
    suffix = f"(?:{'|'.join(forms)})"
    return Pattern(
        id=name,
        type=entities.STREET_ADDRESS,
        regex=(
            rf"(?<![\w.,-])(?:{_NUMBER},? )?{_NUMBER},? (?!{_MONTH}|of |the )(?=[^\n\d]{{0,20}} {suffix}(?!\w))"
            rf"{_NAME} {suffix}(?!\w)\.?{_UNITS}"
        ),
        trigger=tuple(rf"\d[A-Za-z]?,? (?:[^a-z\n\d]|[dlvs]|[oe]')[^\n\d]{{0,20}} {form}\b" for form in forms),
        reach=64,
        begin=r"\d(?<![\w.,-][\s\S])",
        ahead=260,
        score=score,
        reason="house number, name and kind of street",
        lift=lift,
    )


PATTERNS: Final = (
    _street("address.suffix", _STREETS, 0.7, 0.2),
    _street("address.suffix-maybe", _MAYBE_STREETS, 0.45, 0.3),
    Pattern(
        id="address.suffix-plain",
        type=entities.STREET_ADDRESS,
        regex=(
            rf"(?<![\w.,-])(?:\d{{1,5}},? )?\d{{1,5}},? (?=[^\n\d]{{0,20}}{_PLAIN_SUFFIX}(?!\w))"
            rf"(?:(?!of |the |a |an |in |on |to |and |his |her |by ){_ANY} ){{1,3}}?{_PLAIN_SUFFIX}(?!\w)\.?{_UNITS}"
        ),
        trigger=tuple(rf"\d,? [^\n\d]{{0,20}} {form}\b" for form in _PLAIN_FORMS),
        reach=64,
        begin=r"\d(?<![\w.,-][\s\S])",
        ahead=260,
        score=0.5,
        reason="house number, name and kind of street",
        lift=0.3,
    ),
    Pattern(
        id="address.compound",
        type=entities.STREET_ADDRESS,
        regex=(
            rf"(?<![\w.,-]){_BEFORE}(?:{_ANY} ){{0,2}}{_PART}{{3,33}}+(?= \d){_ended()} {_NUMBER}(?!\w|[.,]\d)"
            rf"{_UNITS}"
        ),
        trigger=rf"[a-z?]{_COMPOUND}\.? \d",
        reach=96,
        begin=rf"(?<![\w.,-])(?:\d|{_PART})",
        ahead=260,
        ignore_case=True,
        score=0.55,
        reason="name of a street and house number",
        lift=0.3,
    ),
    Pattern(
        id="address.kind-first",
        type=entities.STREET_ADDRESS,
        regex=(
            rf"(?<![\w.,-]){_BEFORE}{_KIND}\.? (?=[^\n\d]{{1,20}}\d)(?:{_ANY},? ){{1,5}}{_NUMBER}(?!\w|[.,]\d)"
            rf"{_UNITS}"
        ),
        trigger=rf"\b{_KIND}\.? [^\n\d]{{1,20}}\d",
        reach=64,
        begin=rf"(?<![\w.,-])(?:\d|(?i:{_KIND})\.? )",
        ahead=250,
        ignore_case=True,
        score=0.5,
        reason="kind and name of a street and house number",
        lift=0.3,
    ),
    Pattern(
        id="address.numbers-around",
        type=entities.STREET_ADDRESS,
        regex=(
            rf"(?<![\w.,-]){_NUMBER},? (?!{_MONTH})(?=[^\n\d]{{1,48}} \d){_NAME} \d{{1,4}}[A-Za-z]?"
            rf"(?=\n|,? Apt|,? Suite){_UNITS}"
        ),
        trigger=r"[^\n\d] \d{1,4}[A-Za-z]?(?:\n|,? Apt|,? Suite)",
        reach=96,
        begin=rf"\d(?<![\w.,-][\s\S])(?={_NUMBER_ON},? {_WORD_BEGINS})",
        ahead=240,
        score=0.3,
        reason="name between two numbers",
        lift=0.4,
    ),
    Pattern(
        id="address.unit-after",
        type=entities.STREET_ADDRESS,
        regex=(
            rf"(?<![\w.,-]){_BEFORE}{_NAME}(?: {_NUMBER})?[ ,]{{0,2}}\n?[ ]{{0,4}}(?:Apt|Suite|Unit|Ste)\.? ?"
            rf"#?\d{{1,5}}(?!\w){_UNITS}"
        ),
        trigger=r"\b(?:Apt|Suite|Unit|Ste)\.? ?#?\d",
        reach=130,
        begin=rf"(?<![\w.,-])(?={_NUMBER},? (?:\d|{_WORD_BEGINS})|{_WORD}{_TO_UNIT})",
        ahead=300,
        score=0.75,
        reason="name of a street before a unit",
        lift=0.2,
    ),
    Pattern(
        id="address.unit",
        type=entities.STREET_ADDRESS,
        regex=r"(?<!\w)(?:apt|apartment|suite|ste|unit|flat)\.? ?#?\d{1,5}[a-z]?(?!\w)",
        trigger=r"\b(?:apt|apartment|suite|ste|unit|flat)\.? ?#?\d",
        reach=14,
        ignore_case=True,
        score=0.55,
        reason="unit in a house",
        lift=0.3,
    ),
    Pattern(
        id="address.box",
        type=entities.STREET_ADDRESS,
        regex=(
            r"(?<!\w)(?:(?:\d{1,5} )?"
            r"(?:p\.? ?o\.? ?box|postbox|postboks|postfach|casella postale|apartado|bo[iî]te postale|bp) "
            r"\d{1,6}|(?:psc|cmr|unit) \d{1,5},? box \d{1,5}(?:\n(?:apo|fpo|dpo) a[aep] \d{5})?)(?!\w)"
        ),
        trigger=(
            r"(?:p\.? ?o\.? ?box|postbox|postboks|postfach|casella postale|apartado|bo.te postale|\bbp|"
            r"\b(?:psc|cmr|unit) \d{1,5},? box) \d"
        ),
        reach=26,
        ahead=80,
        ignore_case=True,
        score=0.9,
        reason="post office box",
        lift=0.0,
    ),
    Pattern(
        id="address.military",
        type=entities.STREET_ADDRESS,
        regex=r"(?<!\w)(?:us[a-z]{2} [a-z\u00c0-\u024f'-]{2,24}\n)?(?:apo|fpo|dpo) a[aep] \d{5}(?!\w)",
        trigger=r"(?:apo|fpo|dpo) a[aep] \d{5}\b",
        reach=50,
        ignore_case=True,
        ahead=60,
        score=0.8,
        reason="military address",
        lift=0.0,
    ),
)
