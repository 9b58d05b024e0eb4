"""The words by which names tell of protected groups of people, in English and German.

The groups up to `biometric` are the special categories of article 9 GDPR. A name is parted at `_`, `.`, `-` and
capitals; a `*` stands for any end of a word, and words in a row follow each other. Names that say the same in other
words go into `names` of the standard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

GROUPS = {
    "religion": """religio*, faith, church*, denomination*, christian*, catholic*, protestant*, muslim*, islam*, jew,
        jewish, judaism, hindu*, buddhis*, sikh*, atheis*, mosque*, synagogue*, ramadan, kosher, halal, konfession*,
        kirche*, glaube*""",
    "health": """health*, medical*, medicine*, medication*, diagnos*, disease*, illness*, sick, sickness, disab*,
        pregnan*, patient*, symptom*, therap*, cancer*, diabet*, hiv, depress*, addict*, allerg*, mental state,
        blood group, blood pressure, gesundheit*, krank*, schwanger*, behinder*, medikament*""",
    "ethnicity": """ethni*, race, racial, ancestry, nationalit*, migrant*, immigra*, refugee*, roma, sinti,
        skin color*, skin colour*, skin tone*, national origin, mother tongue, country of birth, herkunft*,
        hautfarbe""",
    "politics": """politic*, voter*, voting, democrat*, republican*, ideolog*, party member*, party affiliation*,
        parteimitglied*, wahlverhalten""",
    "sexuality": """sexual*, sexuell*, sex life, same sex, lgbt*, gay, lesbian, bisexual*, queer, homosexual*,
        heterosexual*, transgender*""",
    "union": "union, unions, unionized, unionised, gewerkschaft*",
    "biometric": """biometr*, fingerprint*, faceprint*, voiceprint*, iris, retina*, genetic*, genom*, dna, gait,
        face id, face template, face recognition""",
    "age": "age, ages, aged, birth*, dob, yob, senior*, elderly, teen*, minor, alter, geburt*, jahrgang",
    "gender": """gender*, sex, female, male, woman, women, man, men, pronoun*, geschlecht*, weiblich, maennlich""",
}
"""The words of each group."""


def words_of(name: str) -> str:
    """Return the words of a name, in lower case and with a blank before, between and after them.

    >>> words_of("isReligious.church_tax2")
    ' is religious church tax2 '
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return f" {' '.join(re.split(r'[^a-z0-9äöüß]+', parted.lower())).strip()} "


def told_by(name: str, groups: Iterable[str]) -> str:
    """Return the group that a name tells of; "" if none of these.

    >>> told_by("churchTax", ["health", "religion"]), told_by("plan", ["religion"])
    ('religion', '')
    """
    spaced = words_of(name)
    return next((group for group in groups if _pattern(group).search(spaced)), "")


@lru_cache(maxsize=32)
def _pattern(group: str) -> re.Pattern[str]:
    words = (re.escape(word).replace(r"\*", r"[^ ]*") for word in re.split(r",\s+", GROUPS[group]))
    return re.compile(f" (?:{'|'.join(words)}) ")
