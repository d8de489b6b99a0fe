"""Tags of words: O outside of entities, else whether a word begins (B), is inside of (I), ends (E) or is all of (S) an
entity, with its type (Ramshaw & Marcus 1995; IOB1, IOB2 and BIOES alike).
"""

from __future__ import annotations

import re

IOB = re.compile(r"O|[BIES]-\S+")
OUTSIDE = "O"
NO_IOB = "no IOB tag: those are O, or B-, I-, E- or S- and a type"
