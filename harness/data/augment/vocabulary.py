"""English words that operations know."""

from __future__ import annotations


def _words(written: str) -> frozenset[str]:
    return frozenset(written.split())


NEGATIONS = _words(
    "not no never none nobody nothing neither nor nowhere cannot without hardly barely scarcely rarely seldom unless "
    "except lack lacks lacked lacking fail fails failed failing false untrue deny denies denied refuse refuses "
    "refused aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt neednt shouldnt wasnt werent "
    "wont wouldnt few little less least"
)
"""Words that turn what is said into its opposite, or nearly so."""
NUMBER_WORDS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands "
    "million millions billion billions dozen dozens half once twice thrice first second third"
)
STOP_WORDS = _words(
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself "
    "it its itself they them their theirs themselves what which who whom whose this that these those am is are was "
    "were be been being have has had having do does did doing a an the and but if or because as until while of at by "
    "for with about against between into through during before after above below to from up down in out on off over "
    "under again further then here there when where why how all any both each more most other some such only own same "
    "like also even still well along around across inside outside within toward towards upon among despite per via "
    "maybe perhaps quite rather almost already ever yet merely but so than too very can will just should now would "
    "could may might must shall do get s t d ll m re ve"
)
"""Words that have no synonym worth the name: those of NLTK's English list that are no negations, and adverbs and
prepositions beside them.
"""
