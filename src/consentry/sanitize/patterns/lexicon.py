"""Words that name a type: near a match, in a JSON key, or in a column name they raise the belief in it."""

from __future__ import annotations

from typing import Final

_PHONE = """
phone phones telephone tel mobile cell cellphone fax call calling called dial contact desk office whatsapp sms
hotline landline ring telefon telefone telefono teléfono téléphone tél móvil movil celular handy mob mobil
phonenumber voicemail pager messages message texting reach home
"""
_PASSPORT = "passport passports passportno passport_no reisepass pasaporte passaporto passeport travel"
_TAX = "tax taxpayer tin steuer fiscal vat"

_TABLE = {
    "PHONE_NUMBER": _PHONE,
    "PH_MOBILE_NUMBER": f"{_PHONE} telepono cp",
    "TR_PHONE_NUMBER": f"{_PHONE} telefonu numaram cep gsm",
    "EMAIL_ADDRESS": "email mail mailbox emails",
    "CREDIT_CARD": "card cards cc credit debit visa mastercard amex maestro discover diners jcb ccn pan payment",
    "IBAN_CODE": "iban bank account",
    "CRYPTO": "wallet btc bitcoin ethereum eth crypto litecoin address",
    "IP_ADDRESS": "ip ips ipv4 ipv6 address addr host server ipaddress",
    "MAC_ADDRESS": "mac hardware ethernet wifi",
    "URL": "url website site web link homepage domain domains",
    "VEHICLE_ID": "vin vehicle chassis",
    "DATE_TIME": """date day dob birth born birthday birthdate expires expiry expiration issued due dated time
    timestamp year""",
    "AGE": "age",
    "GENDER": "gender sex",
    "STREET_ADDRESS": """address addresses addr lives live living located office offices street meet return resides
    reside residence corner home house apt suite shipping billing deliver delivered arrived moved user""",
    "POSTAL_CODE": "address apt suite street zip zipcode postcode postal plz postleitzahl",
    "US_SSN": "ssn ssns social socialsecurity ss",
    "US_ITIN": f"itin individual {_TAX}",
    "US_PASSPORT": f"{_PASSPORT} document",
    "US_BANK_NUMBER": "bank account acct checking savings deposit debit",
    "US_DRIVER_LICENSE": "driver drivers licence license dl permit dmv driving",
    "US_MBI": "mbi medicare beneficiary",
    "US_NPI": "npi provider prescriber",
    "MEDICAL_LICENSE": "dea certificate prescriber medical license",
    "ABA_ROUTING_NUMBER": "routing aba transit rtn bank",
    "UK_NHS": "nhs health national patient hospital",
    "UK_NINO": "national insurance nino ni",
    "UK_PASSPORT": _PASSPORT,
    "UK_POSTCODE": "postcode post address",
    "UK_VEHICLE_REGISTRATION": "registration plate plates reg vehicle vehicles car vrm numberplate van",
    "UK_DRIVING_LICENCE": "driving licence license driver dvla",
    "ES_NIF": "nif dni documento identidad identificación fiscal",
    "ES_NIE": "nie extranjero extranjeros",
    "ES_PASSPORT": _PASSPORT,
    "IT_FISCAL_CODE": "codice fiscale cf",
    "IT_VAT_CODE": "partita iva piva vat",
    "IT_DRIVER_LICENSE": "patente guida licenza driver license",
    "IT_IDENTITY_CARD": "carta identità identita identity cie",
    "IT_PASSPORT": _PASSPORT,
    "PL_PESEL": "pesel",
    "FI_PERSONAL_IDENTITY_CODE": "hetu henkilötunnus personbeteckningen identity",
    "SE_PERSONNUMMER": "personnummer pnr personal samordningsnummer",
    "SE_ORGANISATIONSNUMMER": "organisationsnummer orgnr org company organisation",
    "FR_NIR": "nir insee sécurité sociale",
    "NL_BSN": "bsn burgerservicenummer sofinummer",
    "BE_NATIONAL_NUMBER": "rijksregisternummer niss insz registre national",
    "PT_NIF": "nif contribuinte",
    "DE_TAX_ID": "steuer steuerid identifikationsnummer idnr tin steueridentifikationsnummer",
    "DE_TAX_NUMBER": "steuernummer steuer finanzamt stnr",
    "DE_VAT_ID": "ust ustid umsatzsteuer vat mwst",
    "DE_ID_CARD": "personalausweis ausweis ausweisnummer perso identity",
    "DE_PASSPORT": f"{_PASSPORT} pass passnummer",
    "DE_SOCIAL_SECURITY": "rentenversicherung sozialversicherungsnummer rvnr versicherungsnummer svnr",
    "DE_HEALTH_INSURANCE": "krankenkasse krankenversicherung kvnr egk krankenversichertennummer gesundheitskarte",
    "DE_LANR": "lanr arztnummer arzt",
    "DE_BSNR": "bsnr betriebsstättennummer betriebsstätte praxis",
    "DE_FUEHRERSCHEIN": "führerschein führerscheinnummer fahrerlaubnis fuehrerschein",
    "DE_HANDELSREGISTER": "handelsregister amtsgericht registergericht hrb hra",
    "DE_KFZ": "kennzeichen kfz fahrzeug nummernschild auto",
    "DE_PLZ": "plz postleitzahl",
    "CA_SIN": "sin nas insurance canadian",
    "BR_CPF": "cpf",
    "BR_CNPJ": "cnpj",
    "IN_AADHAAR": "aadhaar aadhar uidai uid",
    "IN_PAN": "pan permanent income",
    "IN_GSTIN": "gstin gst",
    "IN_PASSPORT": _PASSPORT,
    "IN_VOTER": "voter epic election vote elector",
    "IN_VEHICLE_REGISTRATION": "registration plate rto vehicle bike car",
    "KR_RRN": "rrn resident 주민등록번호 korean",
    "KR_FRN": "frn foreigner 외국인등록번호 alien",
    "KR_BRN": "brn business 사업자등록번호",
    "KR_DRIVER_LICENSE": "driver license licence 운전면허번호 면허",
    "KR_PASSPORT": f"{_PASSPORT} 여권 여권번호",
    "PH_TIN": "tin taxpayer bir",
    "SG_NRIC_FIN": "nric fin singapore ic",
    "SG_UEN": "uen acra entity",
    "TH_TNIN": "thai เลขประจำตัวประชาชน บัตรประชาชน citizen national",
    "TR_NATIONAL_ID": "tckn tc kimlik",
    "TR_LICENSE_PLATE": "plaka plakası plakalı araç",
    "AU_ABN": "abn business",
    "AU_ACN": "acn company",
    "AU_TFN": "tfn tax file",
    "AU_MEDICARE": "medicare",
    "NG_NIN": "nin nigerian identity",
    "NG_VEHICLE_REGISTRATION": "plate plates vehicle registration",
    "ZA_ID_NUMBER": "south african said identity rsa",
}

WORDS: Final = {entity: frozenset(words.split()) for entity, words in _TABLE.items()}
"""Entity type → lower-cased words."""
