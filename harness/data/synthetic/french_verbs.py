"""French verbs for the actions of `concepts`: their forms, and which role each puts where."""

from __future__ import annotations

from typing import NamedTuple

from harness.data.synthetic.concepts import ALL_ACTIONS

FORMS: dict[str, str] = {
    "être": "est sont été ser",
    "avoir": "a ont eu aur",
    "faire": "fait font fait fer",
    "acheter": "achète achètent acheté achèter",
    "accueillir": "accueille accueillent accueilli accueiller",
    "appeler": "appelle appellent appelé appeller",
    "apprendre": "apprend apprennent appris apprendr",
    "battre": "bat battent battu battr",
    "courir": "court courent couru courr",
    "découvrir": "découvre découvrent découvert découvrir",
    "dormir": "dort dorment dormi dormir",
    "écrire": "écrit écrivent écrit écrir",
    "employer": "emploie emploient employé emploier",
    "envoyer": "envoie envoient envoyé enverr",
    "étreindre": "étreint étreignent étreint étreindr",
    "fuir": "fuit fuient fui fuir",
    "haïr": "hait haïssent haï haïr",
    "jeter": "jette jettent jeté jetter",
    "libérer": "libère libèrent libéré libérer",
    "lire": "lit lisent lu lir",
    "mener": "mène mènent mené mèner",
    "nettoyer": "nettoie nettoient nettoyé nettoier",
    "offrir": "offre offrent offert offrir",
    "ouvrir": "ouvre ouvrent ouvert ouvrir",
    "partir": "part partent parti partir",
    "peindre": "peint peignent peint peindr",
    "poursuivre": "poursuit poursuivent poursuivi poursuivr",
    "promener": "promène promènent promené promèner",
    "recevoir": "reçoit reçoivent reçu recevr",
    "rejeter": "rejette rejettent rejeté rejetter",
    "rire": "rit rient ri rir",
    "secourir": "secourt secourent secouru secourr",
    "suivre": "suit suivent suivi suivr",
    "vaincre": "vainc vainquent vaincu vaincr",
}
"""Present of one and of many, participle, stem of the future, where `conjugate` would go wrong."""

IMPERFECT_STEMS = {"être": "ét", "avoir": "av", "faire": "fais", "haïr": "haïss"}
"""Those of verbs in -er are what stands before it."""

WITH_ETRE = frozenset(("arriver", "monter", "partir"))
"""Verbs whose perfect is with être, besides the reflexive ones."""

VERBS: dict[str, tuple[str, ...]] = {
    "sell": ("vendre agent patient à:partner", "acheter partner patient à:agent"),
    "give": (
        "donner agent patient à:partner",
        "offrir agent patient à:partner",
        "recevoir partner patient de:agent",
    ),
    "lend": ("prêter agent patient à:partner", "emprunter partner patient à:agent"),
    "show": ("montrer agent patient à:partner", "présenter agent patient à:partner"),
    "send": ("envoyer agent patient à:partner", "adresser agent patient à:partner"),
    "throw": ("lancer agent patient à:partner", "jeter agent patient à:partner"),
    "teach": ("instruire agent patient", "former agent patient", "apprendre patient auprès_de:agent"),
    "lead": ("mener agent patient", "guider agent patient", "suivre patient agent"),
    "beat": ("battre agent patient", "vaincre agent patient", "perdre patient contre:agent"),
    "employ": ("*employer agent patient", "*travailler patient pour:agent"),
    "meet": (
        "rencontrer agent patient",
        "croiser agent patient",
        "rencontrer patient agent",
        "croiser patient agent",
    ),
    "marry": (
        "épouser agent patient",
        "se_marier agent avec:patient",
        "épouser patient agent",
        "se_marier patient avec:agent",
    ),
    "hug": ("enlacer agent patient", "étreindre agent patient"),
    "chase": ("poursuivre agent patient", "pourchasser agent patient", "fuir patient agent"),
    "help": ("aider agent patient", "assister agent patient"),
    "thank": ("remercier agent patient",),
    "greet": ("saluer agent patient", "accueillir agent patient"),
    "invite": ("inviter agent patient",),
    "call": ("appeler agent patient", "téléphoner agent à:patient"),
    "visit": ("rendre_visite agent à:patient",),
    "praise": ("féliciter agent patient", "complimenter agent patient"),
    "criticize": ("critiquer agent patient", "gronder agent patient"),
    "love": ("*aimer agent patient", "*adorer agent patient"),
    "hate": ("*détester agent patient", "*haïr agent patient"),
    "trust": ("*faire_confiance agent à:patient", "*se_fier agent à:patient"),
    "distrust": ("*se_méfier agent de:patient", "*se_défier agent de:patient"),
    "open": ("ouvrir agent patient",),
    "close": ("fermer agent patient",),
    "find": ("trouver agent patient", "découvrir agent patient"),
    "lose": ("perdre agent patient", "égarer agent patient"),
    "repair": ("réparer agent patient",),
    "damage": ("abîmer agent patient", "endommager agent patient"),
    "build": ("construire agent patient",),
    "destroy": ("détruire agent patient", "démolir agent patient"),
    "push": ("pousser agent patient",),
    "pull": ("tirer agent patient",),
    "drag": ("traîner agent patient",),
    "hide": ("cacher agent patient", "dissimuler agent patient"),
    "display": ("exposer agent patient",),
    "accept": ("accepter agent patient",),
    "refuse": ("refuser agent patient", "rejeter agent patient"),
    "catch": ("attraper agent patient", "capturer agent patient"),
    "release": ("relâcher agent patient", "libérer agent patient"),
    "eat": ("manger agent patient", "consommer agent patient"),
    "devour": ("dévorer agent patient", "engloutir agent patient"),
    "cook": ("cuisiner agent patient", "préparer agent patient"),
    "wash": ("laver agent patient", "nettoyer agent patient"),
    "paint": ("peindre agent patient",),
    "write": ("écrire agent patient", "rédiger agent patient"),
    "read": ("lire agent patient", "étudier agent patient"),
    "carry": ("porter agent patient", "transporter agent patient"),
    "watch": ("regarder agent patient", "observer agent patient"),
    "steal": ("voler agent patient", "dérober agent patient"),
    "feed": ("nourrir agent patient",),
    "train": ("dresser agent patient",),
    "cut": ("couper agent patient",),
    "sleep": ("dormir agent",),
    "doze": ("somnoler agent", "sommeiller agent"),
    "move": ("bouger agent", "remuer agent"),
    "run": ("courir agent",),
    "sprint": ("sprinter agent",),
    "walk": ("marcher agent",),
    "stroll": ("se_promener agent", "flâner agent"),
    "swim": ("nager agent",),
    "laugh": ("rire agent",),
    "giggle": ("glousser agent",),
    "cry": ("pleurer agent",),
    "sob": ("sangloter agent",),
    "work": ("travailler agent",),
    "rest": ("se_reposer agent",),
    "arrive": ("arriver agent",),
    "leave": ("partir agent",),
    "shout": ("crier agent", "hurler agent"),
    "whisper": ("chuchoter agent", "murmurer agent"),
    "sing": ("chanter agent",),
    "dance": ("danser agent",),
    "apologize": ("se_excuser agent auprès_de:partner",),
    "boast": ("se_vanter agent auprès_de:partner",),
    "wait": ("attendre agent", "patienter agent"),
    "examine": ("examiner agent patient", "inspecter agent patient"),
    "rescue": ("sauver agent patient", "secourir agent patient"),
    "interview": ("interviewer agent patient",),
    "escort": ("escorter agent patient", "accompagner agent patient"),
    "load": ("charger agent patient",),
    "unload": ("décharger agent patient",),
    "steer": ("conduire agent patient", "manœuvrer agent patient"),
    "photograph": ("photographier agent patient",),
    "ship": ("expédier agent patient à:partner",),
    "perform": ("se_produire agent",),
    "board": ("monter_à_bord agent de:patient", "embarquer agent sur:patient"),
}
"""Per action its ways of saying: infinitive, role of the subject, of the object, preposition:role. With `_` what goes
with the verb, with `*` a state of affairs, whose past is the imperfect."""


class Forms(NamedTuple):
    singular: str
    plural: str
    participle: str
    future: str
    imperfect: str


def conjugate(infinitive: str) -> Forms:
    """The third persons; of regular verbs by their ending."""
    stem = infinitive[:-2]
    imperfect = IMPERFECT_STEMS.get(infinitive, stem)
    if infinitive in FORMS:
        singular, plural, participle, future = FORMS[infinitive].split()
        return Forms(singular, plural, participle, future, imperfect)
    if infinitive.endswith("uire"):
        return Forms(stem + "t", stem + "sent", stem + "t", infinitive[:-1], stem + "s")
    if infinitive.endswith("re"):
        return Forms(stem, stem + "ent", stem + "u", infinitive[:-1], stem)
    if infinitive.endswith("ir"):
        return Forms(stem + "it", stem + "issent", stem + "i", infinitive, stem + "iss")
    return Forms(stem + "e", stem + "ent", stem + "é", infinitive, imperfect)


class Verb(NamedTuple):
    infinitive: str
    forms: Forms
    reflexive: bool
    with_etre: bool
    stative: bool
    after: tuple[str, ...]
    """What goes with the verb and stands after it, as the noun of `faire confiance`."""
    subject: str
    object: str
    preposition: str
    oblique: str


def _verb(entry: str) -> Verb:
    head, subject, *roles = entry.split()
    first, *after = head.removeprefix("*").split("_")
    reflexive = first == "se"
    infinitive = after.pop(0) if reflexive else first
    direct = next((role for role in roles if ":" not in role), "")
    preposition, _, oblique = next((role for role in roles if ":" in role), ":").partition(":")
    return Verb(
        infinitive,
        conjugate(infinitive),
        reflexive,
        reflexive or infinitive in WITH_ETRE,
        head.startswith("*"),
        tuple(after),
        subject,
        direct,
        preposition.replace("_", " "),
        oblique,
    )


VERBS_OF: dict[str, tuple[Verb, ...]] = {action: tuple(map(_verb, VERBS[action])) for action in ALL_ACTIONS}
