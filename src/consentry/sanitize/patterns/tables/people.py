"""What a person is: age, gender, form of address, nationality or belief."""

from __future__ import annotations

from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.patterns.pattern import Pattern

_PEOPLES = """
Afghan Albanian Algerian American Andorran Angolan Argentine Argentinian Argentinean Armenian Australian Austrian
Azerbaijani Bahamian Bahraini Bangladeshi Barbadian Basque Belarusian Belgian Belizean Beninese Bhutanese Bolivian
Bosnian Botswanan Brazilian British Bulgarian Burmese Burundian Cambodian Cameroonian Canadian Catalan Chadian Chechen
Chilean Chinese Colombian Congolese Croatian Cuban Cypriot Czech Danish Dominican Dutch Ecuadorian Egyptian Emirati
English Eritrean Estonian Ethiopian Fijian Filipino Finnish Flemish French Gabonese Gambian Georgian German Ghanaian
Greek Greenlandic Grenadian Guatemalan Guinean Guyanese Haitian Honduran Hungarian Icelandic Indian Indonesian Iranian
Iraqi Irish Israeli Italian Ivorian Jamaican Japanese Jordanian Kazakh Kenyan Korean Kosovar Kurdish Kuwaiti Kyrgyz
Laotian Latvian Lebanese Liberian Libyan Lithuanian Luxembourgish Macedonian Malagasy Malawian Malaysian Maldivian
Malian Maltese Mauritanian Mauritian Mexican Moldovan Mongolian Montenegrin Moroccan Mozambican Namibian Nepalese
Nepali Nicaraguan Nigerian Norwegian Omani Pakistani Palestinian Panamanian Paraguayan Persian Peruvian Portuguese
Qatari Romanian Russian Rwandan Salvadoran Samoan Saudi Scottish Senegalese Serbian Singaporean Slovak Slovakian
Slovene Slovenian Somali Spanish Sudanese Surinamese Swedish Swiss Syrian Taiwanese Tajik Tanzanian Thai Tibetan
Tunisian Turkish Turkmen Ugandan Ukrainian Uruguayan Uyghur Uzbek Venezuelan Vietnamese Welsh Yemeni Zambian
Zimbabwean African Asian Caucasian European Hispanic Latino Latina Arab Roma Ossetian Dagestani Ingush Tatar Bahraini
Swazi Tongan Bermudian Icelander Dane Swede Finn Scot Briton Muslim Christian Jewish Catholic Protestant Buddhist
Hindu Sikh Hindus Muslims Christians Catholics Protestants Buddhists Sikhs Orthodox Sunni Shia Shiite Mormon Lutheran
Anglican Baptist Methodist Atheist Communist Socialist Democrat Democrats Republican Republicans Americans Germans
Russians Europeans Africans Asians Indians Italians Canadians Australians Mexicans Arabs Israelis Palestinians Turks
Poles Danes Swedes Finns Greeks Czechs Croats Serbs Kurds Armenians Georgians Ukrainians Chechens Romanians Bulgarians
Hungarians Iranians Iraqis Syrians Egyptians Nigerians Brazilians
"""
_NRP = frozenset(_PEOPLES.split())
_TITLE = r"(?:[Mm]r|[Mm]rs|[Mm]s|Mx|[Dd]r|Prof|Hon|Rev|Sgt|Capt|Lt|Col|Gen|Sr|Sra|Hr|Fr|Mme|Mlle)"
_ANNOUNCES_AGE = (
    "aged?(?: of| is|:| =|=)?|turn(?:s|ed|ing)|(?:he|she|they|who|i) (?:was|were|is|am|are)(?: only| just)?|"
    "(?:my|his|her|their) age (?:is|was)"
)
_UNITS = (
    r"%|degrees|minutes|hours|days|weeks|months|miles|km|kg|lbs?|cm|feet|per|percent|times|million|thousand|hundred|"
    r"dollars|euros|of|a\.?m|p\.?m|meters|metres|points|votes"
)
_AGE = r"(?:1[01]\d|[1-9]?\d)"


PATTERNS: Final = (
    Pattern(
        id="age.years-old",
        type=entities.AGE,
        regex=rf"(?<![\w.,-])({_AGE})(?:[ -]?(?:years?|yrs?)[ -]?old|[ -]?y/?o|[ -]year[ -]olds?)(?!\w)",
        trigger=r"\d[ -]?(?:(?:years?|yrs?)[ -]?old|y/?o\b)",
        reach=20,
        ignore_case=True,
        score=0.85,
        reason="age in years",
        lift=0.0,
        group=1,
    ),
    Pattern(
        id="age.word-before",
        type=entities.AGE,
        regex=rf"(?<!\w)(?:{_ANNOUNCES_AGE})[ :]{{1,2}}({_AGE})(?![\w/%°$€£:-]|[.,]\d| ?(?:{_UNITS})(?!\w))",
        trigger=rf"\b(?:{_ANNOUNCES_AGE})[ :]{{1,2}}\d",
        reach=24,
        ahead=100,
        ignore_case=True,
        score=0.6,
        reason="age after a word that announces one",
        lift=0.0,
        group=1,
    ),
    Pattern(
        id="gender.labelled",
        type=entities.GENDER,
        regex=(
            r"(?<!\w)(?:gender|sex)[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
            r"(male|female|non-?binary|transgender|man|woman|other|diverse|[mfwdx])(?!\w)"
        ),
        trigger=r"\b(?:gender|sex)[\"']?\s{0,3}[:=]",
        reach=14,
        ignore_case=True,
        digitless=True,
        score=0.85,
        reason="gender after its label",
        lift=0.0,
        group=1,
    ),
    Pattern(
        id="gender.word",
        type=entities.GENDER,
        regex=r"(?<!\w)(?:male|female|non-?binary|transgender)(?!\w)",
        trigger=r"\b(?:male|female|non-?binary|transgender)\b",
        reach=14,
        ignore_case=True,
        digitless=True,
        score=0.25,
        reason="word for a gender",
        lift=0.3,
    ),
    Pattern(
        id="title",
        type=entities.TITLE,
        regex=rf"(?<!\w)(?=[A-Zdm])(?:{_TITLE}\.(?= ?[^\W\d_])|(?:Mr|Mrs|Ms|Dr|Prof)(?= [A-Z]))",
        trigger=rf"\b{_TITLE}[. ]",
        reach=6,
        ahead=12,
        digitless=True,
        score=0.55,
        reason="form of address",
        lift=0.0,
    ),
    Pattern(
        id="nrp",
        type=entities.NRP,
        regex=r"[A-Z](?<![\w-][\s\S])[a-z]{2,13}+(?!\w)",
        trigger=rf"\b(?:{'|'.join(sorted(_NRP))})\b",
        reach=16,
        ahead=20,
        digitless=True,
        score=0.6,
        reason="nationality, religion or political group",
        check=_NRP.__contains__,
        confirmed=0.6,
        lift=0.0,
    ),
)
