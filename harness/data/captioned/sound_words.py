"""The words for kinds of sounds, pitches, how long and how fast they are, and their order, in three languages."""

from __future__ import annotations

from harness.data.captioned.grammar import Lexicon

SOUND_WORDS = {
    "en": Lexicon(
        kinds={
            "beep": "beep beeps",
            "buzz": "buzz buzzes",
            "hiss": "hiss hisses",
            "chime": "chime chimes",
            "trill": "trill trills",
            "": "sound sounds",
        },
        adjectives={
            key: key
            for key in (
                *("low", "medium", "high", "rising", "falling"),
                *("short", "long", "quick", "slow"),
            )
        },
        relations={
            "before": ("{0}, then {1}", "{0} followed by {1}", "{0} before {1}"),
            "after": ("{0} after {1}",),
            "": ("{0} and {1}",),
        },
        frames=("a recording of {0}",),
    ),
    "fr": Lexicon(
        kinds={
            "beep": "m bip bips",
            "buzz": "f vibration vibrations",
            "hiss": "m souffle souffles",
            "chime": "f sonnerie sonneries",
            "trill": "m trille trilles",
            "": "m son sons",
        },
        adjectives={
            "low": "grave grave graves graves",
            "medium": "moyen moyenne moyens moyennes",
            "high": "aigu aiguë aigus aiguës",
            "rising": "montant montante montants montantes",
            "falling": "descendant descendante descendants descendantes",
            "short": "bref brève brefs brèves",
            "long": "long longue longs longues",
            "quick": "rapprochés rapprochée rapprochés rapprochées",
            "slow": "espacés espacée espacés espacées",
        },
        before=frozenset(("short", "long")),
        relations={
            "before": ("{0}, puis {1}", "{0}, ensuite {1}", "{0} avant {1}"),
            "after": ("{0} après {1}",),
            "": ("{0} et {1}",),
        },
        frames=("un enregistrement de {0}",),
    ),
    "zh": Lexicon(
        kinds={
            "beep": "个 哔声",
            "buzz": "阵 嗡嗡声",
            "hiss": "阵 嘶嘶声",
            "chime": "个 铃声",
            "trill": "个 颤音",
            "": "个 声音",
        },
        adjectives={
            "low": "低音",
            "medium": "中音",
            "high": "高音",
            "rising": "升调",
            "falling": "降调",
            "short": "短促的",
            "long": "长长的",
            "quick": "急促的",
            "slow": "缓慢的",
        },
        relations={
            "before": ("先是{0},然后是{1}", "{0}之后是{1}", "{0}在{1}之前"),
            "after": ("{0}在{1}之后",),
            "": ("{0}和{1}",),
        },
        frames=("录音:{0}",),
    ),
}
