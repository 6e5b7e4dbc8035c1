"""Top-level domains: every country code, the first generic ones, and newer ones with many names (IANA root zone)."""

from __future__ import annotations

from typing import Final

_COUNTRIES = """
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf
cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf
gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km
kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz
na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg
sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc
ve vg vi vn vu wf ws ye yt za zm zw
"""
_FIRST = "com org net edu gov mil int arpa aero asia biz cat coop info jobs mobi museum name post pro tel travel"
_NEWER = """
academy accountant accountants actor ads adult agency airforce amsterdam analytics apartments app archi army art
associates attorney auction audio auto autos baby band bank bar barcelona basketball bayern beauty beer berlin best
bet bible bid bike bingo bio black blog blue boats bond boo book boston boutique box broker brussels build builders
business buzz cab cafe cam camera camp capital car cards care career careers cars casa case cash casino catering
center ceo charity chat cheap christmas church city claims cleaning click clinic clothing cloud club coach codes
coffee college cologne community company computer condos construction consulting contact contractors cooking cool
corsica country coupons courses credit creditcard cricket cruises dance data date dating day deals degree delivery
democrat dental dentist desi design dev diamonds diet digital direct directory discount doctor dog domains download
earth eco education email energy engineer engineering enterprises equipment esq estate events exchange expert exposed
express fail faith family fan fans farm fashion film finance financial fish fishing fit fitness flights florist
flowers fly foo football forsale forum foundation frl fun fund furniture futbol fyi gallery game games garden gay gent
gift gifts gives glass global gmbh gold golf graphics gratis green gripe group guide guitars guru hair hamburg haus
health healthcare help hiphop hockey holdings holiday homes horse hospital host hosting house how icu immo immobilien
inc industries ing ink institute insurance insure international investments irish istanbul jetzt jewelry juegos kaufen
kids kim kitchen kiwi koeln kyoto land lat law lawyer lease legal lgbt life lighting limited limo link live loan loans
lol london love ltd ltda luxe luxury madrid maison makeup management market marketing markets mba media meet memorial
men menu miami mom money monster mortgage moscow moto motorcycles mov movie music nagoya navy network new news nexus
ngo ninja nyc observer okinawa one onl online ooo organic osaka page paris partners parts party pet phd photo
photography photos pics pictures pink pizza place plumbing plus poker porn press prod productions prof promo
properties property protection pub quebec racing radio realestate recipes red rehab reise reisen rent rentals repair
report republican rest restaurant review reviews rich rip rocks rodeo rsvp rugby ruhr run ryukyu saarland sale salon
sarl school schule science scot security services sexy shiksha shoes shop shopping show singles site ski skin soccer
social software solar solutions soy space sport storage store stream studio study style sucks supplies supply support
surf surgery swiss sydney systems taipei tattoo tax taxi team tech technology tennis theater theatre tickets tienda
tips tires tirol today tokyo tools top tours town toys trade trading training tube university uno vacations vegas
ventures versicherung vet viajes video villas vin vip vision vlaanderen vodka vote voto voyage wales wang watch web
website wedding whoswho wien wiki win wine work works world wtf xyz yachts yoga yokohama zip zone
"""

TOP_LEVEL: Final = frozenset(f"{_COUNTRIES} {_FIRST} {_NEWER}".split())
"""Lower-cased, without the dot."""

BARE: Final = frozenset(
    f"{_COUNTRIES} {_FIRST} app blog cloud club dev digital email online shop site space store tech xyz".split()
)
"""Those under which a name without a scheme in front reads as a domain rather than as a file or a missing blank."""

WORDS_TOO: Final = frozenset(
    """
    ac ad am as at be by cc cd do et gl gs im in int is it la ly md me mk ml mm mo mov ms my name no post pro ps py
    re rs sb sc sh so st tc tel to tt vc vi zip
    """.split()  # noqa: SIM905
)
"""Country codes and others that are also English words or endings of files."""
