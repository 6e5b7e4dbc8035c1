# ruff: noqa: E501, S311  (tables of words and templates; draws need to repeat, not to be secret)
"""Invented sentences: templates of our own, and labelled sets refilled with other names. Seeded, so repeatable."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache

from tools.train_names import wordlists
from tools.train_names.corpora import Document

TEMPLATES = r"""
My name is {P}.|Hi, this is {P} calling from {O}.|I'm {F}, nice to meet you.|{P} lives in {L}.|{P} was born in {L} in 1975.
Please send the invoice to {P}, {A}.|Ship to:\n{P}\n{A}|{P}\n{O}\n{A}\n{L}|Dear {T} {S},|Dear {F},|Kind regards,\n{P}|Best,\n{F}
Thanks,\n{P}\n{O}|From: {P}\nTo: {P}\nSubject: meeting in {L}|cc: {P}; {P}; {P}|{S}, {F}|Name: {P}|Full name: {P}\nCity: {L}\nCountry: {C}
Patient: {P}, DOB 12/03/1981|Patient {P} was seen by {T} {S} at {O}.|{T} {P} prescribed 5 mg to {F}.|Customer {P} called about the order.
{P} works for {O} in {L}.|{O} hired {P} as chief executive.|{O} is based in {L}, {C}.|{O} and {O} announced a merger on Monday.
Shares of {O} fell 3% after {P} resigned.|According to {P}, a spokesman for {O}, nothing has changed.|{P} ({C}) beat {P} ({C}) 6-4, 6-2.
The mayor of {L}, {P}, said on Tuesday that the city would appeal.|{N} officials met {P} in {L}.|A {N} national, {M} {P}, was arrested in {L}.
The applicant, {M} {P}, is a {N} national who was born in 1961 and lives in {L}.|The applicants were represented by {M} {P}, a lawyer practising in {L}.
The Government were represented by their Agent, {M} {I}.|{M} {S} appealed against the judgment.|The {L} District Court heard {M} {S} and {M} {S}.
Before {T} {S}, the witness {P} stated that {F} had left {L}.|{P} v. {C}|{S} and Others v. {C}|In the case of {S} v. {C},
The police in {L} questioned {P} and {I}.|On 3 May 1999 {I} was remanded in custody.|Judge {S} dismissed the claim of {P}.
My friend {F} moved from {L} to {L}.|Is {F} coming to {L} with us?|I flew from {L} to {L} with {O}.|Have you ever been to {C}?
I work at {O}.|my manager {F} said hello|{F} and {F} went to {L} together|@{F} have you seen {F}?|lol {F} is in {L} again
The address of {O} is {A}.|We moved to {A}, {L}.|Deliver it to {A} before noon.|I live at {A}|{A}\n{L}, {C}|{A}, {L} {Z}|Meet me at {A} in {L}.
{P} graduated from {O} in 1994.|{P}, son of {P} and {P}, studied in {L}.|{P} is survived by {F} and {F}.|Author: {P}|by {P}|Photo by {P}, {O}
{P} (born 1954) is a {N} painter from {L}.|The {N} company {O} was founded by {P}.|{N} food is my favourite.|He speaks {N} and {N}.
{S} said that {O} would not comment.|{S}'s lawyer, {P}, declined.|{F}'s brother lives in {L}.|The office in {L} is run by {P}.
{T} {S} will see you now.|{T} {P} joined {O}.|Ask {T} {S} about it.|{P}, {T}|Interview with {T} {P}, {O}, {L}
id,name,city\n1,{P},{L}\n2,{P},{L}\n3,{P},{L}|{"name": "{P}", "city": "{L}", "company": "{O}"}|name={P}&city={L}|{P}\t{L}\t{C}|first_name: {F}\nlast_name: {S}
INFO user {P} logged in from {L}|Ticket opened by {P} ({O})|Assigned to: {P}|Reviewed-by: {P}|Account holder: {P}|Beneficiary: {P}, {L}
Can I change the name on my card to {P}?|Please transfer the money to {P}.|My account is under {P}, can you check?|This is {P}, I lost my card in {L}.
The weather in {L} is nice today.|{L} is the capital of {C}.|We drove through {L}, {L} and {L}.|Flights to {L} are cancelled.|News from {L}, {C}:
The song by {P} was recorded at {O}.|The film stars {P} and {P} as themselves.|{P} scored twice for {O}.|{O} lost to {O} 2-1 in {L}.
The {O} said on Friday that {P} had been appointed.|Employees of {O} protested in {L}.|I bought it from {O}.|{O} makes good software.|{O}'s new product
Call {F} at the {L} office.|{F} {S} signed for {O}.|Thank you for contacting {O}, my name is {F}, how can I help?|{P} | {O} | {L}|Attn: {P}
The Supreme Court of {C} upheld the decision.|The Ministry of Justice of {C}|the University of {L}|{L} University Hospital|Bank of {L}
{P}\n{A}\n{L}\n{C} {Z}|{A}\n\n{L}\n{C} {Z}|{P}\n\n{A}\n {L}\n {C} {Z}|{A}, {L}, {C} {Z}|{A} {L} {C}|{A}\n{L}\n, {R}\n {C} {Z}|{O}\n{A}\n{L} {R} {Z}|{A}\n {L}\n {R} {Z}
Our office is at {A}, {L}, {R} {Z}.|I used to live at {A} in {L}|Please update my address to {A}, {L}, {C}.|Home address: {A}\n{L} {Z}\n{C}|{L}, {C}|{L}, {R}
She moved from {C} to {C}.|Where is {L}?|I was born in {C}|the {O} office in {L}, {R}|Tourists love {C}.|They sell {N} cars in {C}|{T} {S} from {L}|{T} {P} flew to {L}|{T} {F} {S} of {O}
{F} shouted at {F}: "Stop it!"|"Not now," said {F}.|"I know," {F} replied to {F}.|{F} told {F} that it was late.|{S} asked whether {S} had signed.|{F} smiled at {F} and left.|Why is {F} late?
Ask {F}.|It was {F} who called.|{F} and I went home.|Happy birthday {F}!|Thanks {F}, see you soon|Hi {F}, how are you?|Hello {F}!|{F}, can you call {F}?|I miss {F}|Tell {F} I said hi.|{F} is my sister.|Is {F} there?
the {S} report|a {S} painting|the {S} family|{S} won the match.|{S} was appointed in 2003.|{S} et al. (2010)|{S} and {S} (1999) argue that|as {S} wrote in her diary|the novels of {S}|In {S}'s opinion this is wrong.|unlike {S}, he stayed.
{F} was here. {F} left at noon.|{S} has been charged with fraud.|Witnesses saw {P} near {L}.|Police named the victim as {P}, 34, of {L}.|{P}, 34, from {L}, said: "We are happy."|{I} was born in 1970 and lives in {L}.
the brother of {I}|{I} and {I} lodged a complaint with the {L} prosecutor.|counsel for {M} {S}|{M} {I} submitted that|{M} {P} and {M} {P}, lawyers practising in {L}|{T} {S} and {T} {S} agreed.|The judge, {P}, refused.
{O} is a software company headquartered in {L}.|{O} is an airline founded in {C}.|The {O} store on {W} is closed.|The {O} headquarters are at {A}.|{J} at {O}|She is a {J} at {O}.|He quit his job at {O} last year.|{P}\n{J}\n{O}\n{A}\n{L}
{P}\n{J}, {O}|{P}, {J} at {O}, said so.|{O} employee {P} was fired.|{O} co-founder {P} left.|her {O} badge|my {O} account|a {O} spokesperson|{O} shares rose|an {O} engineer|We are proud to support {O} in {L} in its work.|The meeting is at {O}, {A}.
I applied to {O} and {O}.|{O} ({L})|{O}, {A}|{O} acquired {O} for $3 million.|customers of {O}|{O} employs 300 people.|Who owns {O}?|{O} uses {O} for payments.|{P} of {O}|{F} from {O}|a firm of solicitors, {O}|represented by {O}, solicitors in {L}
{F}: How are you?\n{F}: Fine, and you?|{F}: Where were you?\n{F}: At home, {F}.|[10:32] {F}: hello|{F} wrote: I agree.|{F} (manager): ok|Q: {F}, what happened?\nA: {F} left.|{P}:\n|MR. {S}: Objection.|THE COURT: Thank you, {M} {S}.
{A}\n {L}\n\n {C} {Z}|{P}\n\n{A}\n {L}\n\n {C} {Z}|{A}\n {L}, {R}\n {C}|{P} {A} {L} {Z}|ship it to {A}, {L}, {C}|Is {A} in {L}?|{P} lives at {A}.|{F} lives on {W}.|{W} {Z} {L}
We rented a flat on {W} for a month.|The shop on {W} is closed.|Turn left at {W}, then walk to {A}.|It happened near {W} in {L}.
""".strip()
PLAIN = """
The meeting is on Monday at noon.|Please Review The Attached Document.|January was cold, February was worse.|Introduction To Machine Learning
Terms and Conditions|I think We Should Go Home Now|How Are You?|What Is New In Version 2.0|THE FACTS|PROCEDURE|I. THE CIRCUMSTANCES OF THE CASE
Error: Connection Refused|Warning: Low Disk Space|ERROR Failed to open file|INFO Starting server on port 8080|DEBUG Cache miss|POST /api/v1/users 200
Your Order Has Shipped|Click Here To Unsubscribe|Happy New Year!|Good Morning|Thank You|FOR THESE REASONS|Chapter One|Table Of Contents|Merry Christmas
The Convention entered into force.|Article 6 of the Convention|See Section 4.2 of the Agreement.|Protocol No. 1|The Court considers that Article 8 applies.
import numpy as np|def main(): return None|class Parser(Base): pass|SELECT id FROM Orders WHERE Status = 'Open'|Date: Thu, 12 Mar 2020|Total Amount Due: $45.00
Python and Java are programming languages.|The Internet is slow today.|My iPhone broke.|Windows and Linux|He drives a Toyota Corolla.|God knows.|I love You
Invoice Number: 12345|Order Date: 12 May 2020|Phone Number: 555-1234|Email Address:|Credit Card|Social Security Number|Date of Birth|Zip Code|Account Number
""".strip()
JOBS = [
    "software engineer",
    "accountant",
    "nurse",
    "truck driver",
    "sales manager",
    "teacher",
    "chief executive officer",
    "data analyst",
    "electrician",
    "lawyer",
    "plumber",
    "receptionist",
    "project manager",
    "surgeon",
    "journalist",
    "graphic designer",
    "cook",
    "mechanic",
    "research assistant",
    "security guard",
    "marketing director",
    "librarian",
    "photographer",
    "carpenter",
    "civil engineer",
    "dental hygienist",
    "human resources officer",
    "translator",
    "financial advisor",
    "web developer",
    "police officer",
    "postal clerk",
    "farm worker",
    "paralegal",
    "insurance agent",
    "pharmacist",
]
FIELD = re.compile(r"\{([PFSILCOANTMWZRJ])\}")
KIND = {
    "P": "PERSON",
    "F": "PERSON",
    "S": "PERSON",
    "I": "PERSON",
    "L": "LOCATION",
    "R": "LOCATION",
    "C": "LOCATION",
    "O": "ORGANIZATION",
    "A": "STREET_ADDRESS",
    "W": "STREET_ADDRESS",
    "N": "NRP",
    "T": "TITLE",
}


@cache
def _people() -> list[tuple[list[str], list[str]]]:
    names = wordlists.people()
    heavy = [key for key in names if key.startswith("en")] * 4 + [
        key
        for key in names
        if key[:2]
        in ("de", "fr", "es", "it", "nl", "pt", "pl", "tr", "sv", "no", "da", "fi", "ru", "uk", "cs", "hu", "ro", "hr")
    ]
    return [names[key] for key in [*names, *heavy]]


@cache
def _places() -> tuple[list[str], list[float], list[str], list[str]]:
    cities, countries, regions = wordlists.places()
    return [name for name, _ in cities], [size**0.5 for _, size in cities], countries, regions


class Filler:
    """Draws names, places, organisations and addresses."""

    def __init__(self, seed: int, words: list[str]) -> None:
        self.random = random.Random(seed)
        self.words = words

    def first(self) -> str:
        return self.random.choice(self.random.choice(_people())[0])

    def last(self) -> str:
        return self.random.choice(self.random.choice(_people())[1])

    def person(self) -> str:
        draw = self.random.random()
        first, last = self.random.choice(_people())
        given, family = self.random.choice(first), self.random.choice(last)
        initial = self.random.choice("ABCDEFGHIJKLMNOPRSTVW")
        if draw < 0.62:
            return f"{given} {family}"
        if draw < 0.72:
            return f"{given} {initial}. {family}"
        if draw < 0.78:
            return f"{initial}. {family}"
        if draw < 0.82:
            return f"{initial}.{self.random.choice('ABDEJKLMPRS')}. {family}"
        if draw < 0.87:
            return f"{given} {self.random.choice(first)} {family}"
        if draw < 0.92:
            return f"{given} {self.random.choice(['van', 'de', 'von', 'al-', 'di', 'O', 'Mc'])}{self.random.choice([' ', ' ', chr(39)])}{family}"
        return f"{given} {family}-{self.random.choice(last)}"

    def initials(self) -> str:
        one, two = self.random.choice("ABCDEFGHIJKLMNOPRSTVWZ"), self.random.choice("ABCDEFGHIJKLMNOPRSTVWZ")
        return self.random.choice(
            [f"{one}.{two}.", f"{one}. {two}.", f"{one}.", f"{one}. {self.last()}", f"{one}.{two}"]
        )

    def city(self) -> str:
        names, weights, _, regions = _places()
        if self.random.random() < 0.12:
            return self.random.choice(regions)
        name = self.random.choices(names, weights)[0] if self.random.random() < 0.7 else self.random.choice(names)
        return name.upper() if self.random.random() < 0.06 else name

    def country(self) -> str:
        return self.random.choice(_places()[2])

    def organization(self) -> str:
        draw, last = self.random.random(), self.last
        word = lambda: self.random.choice(self.words).capitalize()  # noqa: E731
        suffix = self.random.choice(
            [
                "Inc",
                "Inc.",
                "LLC",
                "Ltd",
                "Ltd.",
                "GmbH",
                "Corp",
                "Corporation",
                "Group",
                "PLC",
                "& Co.",
                "and Sons",
                "Partners",
                "Bank",
                "Software",
                "Systems",
                "Technologies",
                "Labs",
                "Media",
                "Health",
                "Energy",
                "Foods",
                "Airlines",
                "Solutions",
                "Analytics",
                "Holdings",
                "S.A.",
                "AG",
                "B.V.",
                "Oy",
                "AB",
                "Limited",
            ]
        )
        if draw < 0.22:
            return f"{last()} {suffix}"
        if draw < 0.32:
            return f"{last()}-{last()}"
        if draw < 0.4:
            return f"{last()}, {last()} and {last()}"
        if draw < 0.58:
            return f"{word()} {suffix}"
        if draw < 0.68:
            return f"{word()}{word().lower()}" + (f" {suffix}" if self.random.random() < 0.5 else "")
        if draw < 0.76:
            return f"{word()} {word()}"
        if draw < 0.82:
            return f"{word()}{word()}"
        if draw < 0.9:
            return self.random.choice(
                [
                    f"University of {self.city()}",
                    f"{self.city()} University",
                    f"{self.city()} Hospital",
                    f"Bank of {self.city()}",
                    f"{self.city()} District Court",
                    f"{self.city()} Regional Court",
                    f"Ministry of {word()}",
                    f"{self.city()} City Council",
                    f"{self.city()} FC",
                    f"{self.city()} Police Department",
                    f"Department of {word()}",
                ]
            )
        if draw < 0.95:
            return "".join(self.random.choice("ABCDEFGHIKLMNOPRSTU") for _ in range(self.random.choice([2, 3, 3, 4])))
        return self.random.choice(
            [
                "Google",
                "Microsoft",
                "Apple",
                "Amazon",
                "Facebook",
                "Twitter",
                "IBM",
                "Toyota",
                "BBC",
                "CNN",
                "Reuters",
                "NASA",
                "United Nations",
                "UN",
                "EU",
                "NATO",
                "World Bank",
                "FBI",
                "Walmart",
                "Siemens",
                "Nokia",
                "Netflix",
                "Oracle",
                "Intel",
                "Samsung",
                "Sony",
                "Shell",
                "BP",
                "HSBC",
                "Barclays",
                "Visa",
                "Mastercard",
                "Tesla",
                "Boeing",
                "Airbus",
                "Uber",
            ]
        )

    def street(self) -> str:
        name = self.random.choice([self.last(), self.last(), self.city(), self.random.choice(self.words).capitalize()])
        form = self.random.choice(
            [
                "{} Street",
                "{} St",
                "{} Road",
                "{} Rd.",
                "{} Avenue",
                "{} Ave",
                "{} Lane",
                "{} Drive",
                "{} Dr",
                "{} Way",
                "{} Court",
                "{} Blvd",
                "Rue {}",
                "Rue de {}",
                "Via {}",
                "Calle {}",
                "{}strasse",
                "{}weg",
                "{}gasse",
                "{}straße",
                "{} utca",
                "ul. {}",
                "{}gatan",
                "{}vej",
                "{}gata",
                "{} Close",
                "{} Terrace",
                "Piazza {}",
                "Plaza {}",
                "{} Square",
                "Avenida {}",
                "Rua {}",
                "{}laan",
                "{}straat",
                "{} Parkway",
                "{} Crescent",
            ]
        )
        return form.format(name)

    def address(self) -> str:
        number, draw = str(self.random.randint(1, 99999 if self.random.random() < 0.3 else 400)), self.random.random()
        street = self.street()
        flat = self.random.choice(["Apt. {}", "Suite {}", "Unit {}", "Flat {}", "Floor {}", "Apt {}", "#{}"]).format(
            self.random.randint(1, 999)
        )
        if draw < 0.4:
            return f"{number} {street}"
        if draw < 0.65:
            return f"{street} {number}"
        if draw < 0.8:
            return f"{number} {street}{self.random.choice([', ', ' ', chr(10)])}{flat}"
        if draw < 0.88:
            return f"{self.random.choice(['PSC', 'CMR', 'Unit'])} {number}, Box {self.random.randint(1, 9999)}\n{self.random.choice(['APO', 'DPO', 'FPO'])} {self.random.choice(['AA', 'AE', 'AP'])} {self.random.randint(10000, 99999)}"
        if draw < 0.93:
            return f"{self.random.choice(['USS', 'USNS', 'USCGC', 'USNV'])} {self.last()}\nFPO {self.random.choice(['AA', 'AE', 'AP'])} {self.random.randint(10000, 99999)}"
        if draw < 0.96:
            return f"P.O. Box {self.random.randint(1, 9999)}"
        return f"{flat} {number} {street}"

    def _job(self) -> str:
        job = self.random.choice(JOBS)
        return self.random.choice([job, job.capitalize(), job.title()])

    def draw(self, field: str) -> str:
        """A value for one field of a template."""
        r = self.random
        makers: dict[str, Callable[[], str]] = {
            "P": self.person,
            "F": self.first,
            "S": self.last,
            "I": self.initials,
            "L": self.city,
            "C": self.country,
            "J": self._job,
            "R": lambda: (
                r.choice(_places()[3]) if r.random() < 0.6 else "".join(r.choice("ACDILMNOPRSTVWXY") for _ in "12")
            ),
            "O": self.organization,
            "A": self.address,
            "W": self.street,
            "N": lambda: r.choice(wordlists.NATIONALITIES),
            "Z": lambda: str(r.randint(10000, 99999)),
            "T": lambda: r.choice(["Mr.", "Mrs.", "Ms.", "Dr.", "Miss", "Prof.", "Professor", "Mr.", "Ms.", "Mrs."]),
            "M": lambda: r.choice(["Mr", "Mrs", "Ms", "Dr", "Professor", "Judge"]),
        }
        return makers[field]()


def filled(template: str, filler: Filler) -> Document:
    """One template with values drawn for its fields."""
    text, spans, at = "", [], 0
    for found in FIELD.finditer(template):
        text += template[at : found.start()]
        value = filler.draw(found[1])
        if found[1] in KIND:
            spans.append((len(text), len(text) + len(value), KIND[found[1]]))
        text += value
        at = found.end()
    return Document(text + template[at:], spans, [], "templates")


def own(filler: Filler, rounds: int) -> list[Document]:
    """Every template of our own `rounds` times, and the plain ones a fifth as often."""
    lively = [part.replace("\\n", "\n").replace("\\t", "\t") for part in re.split(r"(?<! )\||\n", TEMPLATES)]
    plain = [part for line in PLAIN.split("\n") for part in line.split("|")]
    out = [filled(template, filler) for _ in range(rounds) for template in lively if template]
    return out + [Document(text, [], [], "plain") for _ in range(max(1, rounds // 5)) for text in plain]


def refilled(document: Document, filler: Filler, chance: float) -> Document:
    """The same sentence with other names, places and organisations, each span replaced with probability `chance`."""
    text, spans, unsure, at = "", [], [], 0
    shift: list[tuple[int, int]] = []
    for start, end, label in sorted(document.spans):
        if start < at:
            continue
        text += document.text[at:start]
        value = document.text[start:end]
        if filler.random.random() < chance:
            value = _other(value, label, filler)
        spans.append((len(text), len(text) + len(value), label))
        text += value
        at = end
        shift.append((end, len(text) - end))
    text += document.text[at:]
    for start, end in document.unsure:
        delta = next((moved for place, moved in reversed(shift) if place <= start), 0)
        unsure.append((start + delta, end + delta))
    return Document(text, spans, unsure, document.source, document.cluster)


def _other(value: str, label: str, filler: Filler) -> str:
    words = value.split()
    if label == "PERSON":
        titled = words[0].rstrip(".") in ("Mr", "Mrs", "Ms", "Dr", "Miss", "Judge") and len(words) > 1
        lead = f"{words[0]} " if titled else ""
        rest = len(words) - titled
        if any(len(word.rstrip(".")) == 1 for word in words):
            return lead + (filler.initials() if rest == 1 else filler.person())
        name = (
            filler.person()
            if rest >= 2
            else (filler.last() if titled else filler.random.choice([filler.first, filler.last])())
        )
        return lead + (name.upper() if value.isupper() and len(value) > 3 else name)
    if label == "LOCATION":
        return value if len(words) > 3 else filler.country() if filler.random.random() < 0.25 else filler.city()
    if label == "STREET_ADDRESS":
        return (
            filler.address()
            if any(char.isdigit() for char in value) and not value.isdigit() and len(words) > 1
            else value
        )
    if label == "NRP":
        return filler.random.choice(wordlists.NATIONALITIES)
    return value if filler.random.random() < 0.5 else filler.organization()
