#!/usr/bin/env python3
"""Writes crates/nearside-privacy/data/{given,family}_names.tsv from public lists of names.

Sources: Faker (PyPI, MIT), @faker-js/faker (npm, MIT; as JSON, see below), and the names of the
United States Census of 1990 (public domain) as the PyPI package `names` carries them.

    pip install faker names && npm pack @faker-js/faker && tar xzf faker-js-faker-*.tgz
    node --input-type=module -e "import {allLocales} from './package/dist/index.js';
      const flat = o => !o ? [] : Array.isArray(o) ? o : Object.values(o).flatMap(flat);
      console.log(JSON.stringify(Object.fromEntries(Object.entries(allLocales).map(([k, l]) =>
        [k, {given: flat((l.person||{}).first_name), family: flat((l.person||{}).last_name)}]))))" > names.json
    python3 bench/name_lists.py names.json

A name is folded as the scanner folds it: lower case, without diacritics. A row is the name and the
countries in whose list it stands; names of fewer than three letters are left out.
"""
import importlib
import json
import os
import sys
import unicodedata

COUNTRIES = {
    "de_DE": "de", "de_AT": "de", "de_CH": "de", "de": "de", "en_AU": "au", "en_CA": "ca", "en_GB": "gb",
    "en_IE": "gb", "en_NZ": "au", "en_IN": "in", "hi_IN": "in", "en_US": "us", "en": "us", "es_ES": "es",
    "es_MX": "es", "es_AR": "es", "es_CO": "es", "es": "es", "fr_FR": "fr", "fr_CA": "fr", "fr_BE": "fr",
    "fr_CH": "fr", "fr": "fr", "it_IT": "it", "it": "it", "nl_NL": "nl", "nl_BE": "nl", "nl": "nl",
    "pl_PL": "pl", "pl": "pl", "pt_BR": "br", "pt_PT": "br", "sv_SE": "xx", "da_DK": "xx", "no_NO": "xx",
    "fi_FI": "xx", "cs_CZ": "xx", "ro_RO": "xx", "hu_HU": "xx", "hr_HR": "xx", "sv": "xx", "da": "xx",
    "fi": "xx", "nb_NO": "xx", "cs_CZ_js": "xx", "tr": "xx", "tr_TR": "xx",
}
SINGLE = {"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"}
CENSUS_FAMILY_NAMES = 30_000


def fold(name):
    name = "".join(SINGLE.get(letter, letter) for letter in name.lower())
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def add(rows, names, country):
    for name in names:
        for part in str(name).replace("-", " ").replace("’", "'").split():
            folded = fold(part).strip("'.")
            if len(folded) >= 3 and folded.isascii() and folded.replace("'", "").isalpha():
                rows.setdefault(folded, set()).add(country)


def main(path):
    given, family = {}, {}
    for locale, country in COUNTRIES.items():
        try:
            provider = importlib.import_module("faker.providers.person." + locale).Provider
        except ImportError:
            continue
        for name in dir(provider):
            if name.startswith("first_names"):
                add(given, list(getattr(provider, name)), country)
            if name.startswith("last_names"):
                add(family, list(getattr(provider, name)), country)
    with open(path, encoding="utf-8") as file:
        lists = json.load(file)
    for locale, country in COUNTRIES.items():
        add(given, lists.get(locale, {}).get("given", []), country)
        add(family, lists.get(locale, {}).get("family", []), country)
    census = os.path.dirname(importlib.import_module("names").__file__)
    for name, rows, limit in [
        ("dist.female.first", given, 3000), ("dist.male.first", given, 1219),
        ("dist.all.last", family, CENSUS_FAMILY_NAMES),
    ]:
        with open(os.path.join(census, name), encoding="ascii") as file:
            add(rows, [line.split()[0] for line in list(file)[:limit] if line.split()], "us")
    for name, rows in [("given", given), ("family", family)]:
        target = f"crates/nearside-privacy/data/{name}_names.tsv"
        with open(target, "w", encoding="ascii") as file:
            for row in sorted(rows):
                file.write(f"{row}\t{' '.join(sorted(rows[row]))}\n")
        print(target, len(rows))


if __name__ == "__main__":
    main(sys.argv[1])
