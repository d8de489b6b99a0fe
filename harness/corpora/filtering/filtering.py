"""The pass of a filter over a corpus: what is kept is written, and of what is removed why.

The documents go through the rules in pieces, by as many processes as there are workers, and come back in order, so
that the output is the same at any number. What is left waits on disk until all of it is there to be compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from harness.core import code_identity
from harness.core.atomic import output_folder, scratch_folder
from harness.core.checksums import facts_of_files
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.corpora.filtering.spec import FilterSpec, make_rules
from harness.corpora.rules.base import RULES, Removal, Rule, Text
from harness.corpora.rules.dedup import Dedup, DedupOptions
from harness.corpora.streams.duplicates import DuplicateFinder, Duplicates, digest
from harness.corpora.streams.parallel import Piece, pieces, through
from harness.corpora.text.minhash import signatures
from harness.data.corpus_manifest import KIND, CorpusManifest, SourceFacts, write_manifest
from harness.data.document import Corpus, Document, TextsHash

TEXT, LEDGER = "text.jsonl", "ledger.jsonl"
SHOWN = 200
"""Characters of a removed text that its line in the ledger has."""
EXACT, NEAR = "equal to an earlier document", "like an earlier document"


@dataclass(frozen=True)
class Outcome:
    """What the rules made of one document.

    Attributes:
        text: What is kept of it. None: it is removed.
        rule: The name of the rule that removed it.
        removal: Why.
        edited: The names of the rules that changed it.
    """

    text: str | None
    rule: str = ""
    removal: Removal | None = None
    edited: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """What the rules made of a piece: an outcome a document, and of those kept the digests and signatures."""

    outcomes: list[Outcome]
    digests: list[int]
    signatures: NDArray[np.uint32] | None


@dataclass(frozen=True)
class FunnelStep:
    """What a rule removed, with the reasons, and changed, and what it left."""

    rule: str
    removed: int
    removed_bytes: int
    edited: int
    left: int
    left_bytes: int
    reasons: dict[str, int]


@dataclass
class Funnel:
    """What went in, what each rule removed and changed, and what came out; bytes are those of UTF-8."""

    rules: list[str]
    documents: int = 0
    bytes: int = 0
    kept_documents: int = 0
    kept_bytes: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    removed_bytes: Counter[str] = field(default_factory=Counter)
    edited: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def remove(self, rule: str, reason: str, size: int) -> None:
        """Count a document that a rule removed."""
        self.removed[rule] += 1
        self.removed_bytes[rule] += size
        self.reasons[rule, reason] += 1

    @property
    def steps(self) -> list[FunnelStep]:
        """The rules in order, with what each left."""
        documents, size, steps = self.documents, self.bytes, []
        for rule in self.rules:
            documents -= self.removed[rule]
            size -= self.removed_bytes[rule]
            reasons = {reason: count for (of, reason), count in self.reasons.most_common() if of == rule}
            steps.append(
                FunnelStep(
                    rule, self.removed[rule], self.removed_bytes[rule], self.edited[rule], documents, size, reasons
                )
            )
        return steps

    def as_json(self) -> dict[str, Any]:
        """What went in and came out, and the steps."""
        return {
            "documents": self.documents, "bytes": self.bytes, "kept": self.kept_documents,
            "kept_bytes": self.kept_bytes, "rules": [asdict(step) for step in self.steps],
        }  # fmt: skip


class Judge:
    """Applies the rules to pieces; made once in each process."""

    def __init__(self, spec: FilterSpec, where: str, include: Sequence[str] = ()) -> None:
        if include:
            load_registry(include)  # in a process of its own
        self.rules = list(zip(rule_names(spec), make_rules(spec, where), strict=True))
        self.splitter = spec.splitter
        self.dedup = dedup_of([rule for _, rule in self.rules])

    def __call__(self, piece: Piece) -> Judged:
        outcomes = self.outcomes(piece)
        if self.dedup is None:
            return Judged(outcomes, [], None)
        kept = [outcome.text for outcome in outcomes if outcome.text is not None]
        digests = [digest(text) for text in kept] if self.dedup.exact else [0] * len(kept)
        if self.dedup.near is None:
            return Judged(outcomes, digests, None)
        return Judged(outcomes, digests, signatures(kept, self.dedup.near))

    def outcomes(self, documents: Sequence[Document]) -> list[Outcome]:
        """What the rules make of each document."""
        texts = {at: self._text(document.text, document) for at, document in enumerate(documents)}
        edited: dict[int, tuple[str, ...]] = {}
        outcomes: dict[int, Outcome] = {}
        for name, rule in self.rules:
            verdicts = rule.judge_all(list(texts.values()))
            for at, verdict in zip(list(texts), verdicts, strict=True):
                if isinstance(verdict, Removal):
                    outcomes[at] = Outcome(None, name, verdict, edited.get(at, ()))
                    del texts[at]
                elif isinstance(verdict, str) and verdict != texts[at].text:
                    edited[at] = (*edited.get(at, ()), name)
                    texts[at] = self._text(verdict, documents[at])
        outcomes |= {at: Outcome(text.text, edited=edited.get(at, ())) for at, text in texts.items()}
        return [outcomes[at] for at in range(len(documents))]

    def _text(self, text: str, document: Document) -> Text:
        return Text(text, document.metadata, self.splitter)


def rule_names(spec: FilterSpec) -> list[str]:
    """The rules' names in order; a rule that stands twice has a number, so that what each removes is told apart."""
    names = [name for rule in spec.rules for name in rule]
    return [f"{name}#{names[: at + 1].count(name)}" if names.count(name) > 1 else name for at, name in enumerate(names)]


def filter_corpus(
    corpus: Corpus,
    spec: FilterSpec,
    output: Path,
    *,
    workers: int = 1,
    where: str = "rules",
    include: Sequence[str] = (),
    tell: Callable[[int, int], None] = lambda documents, size: None,
) -> tuple[CorpusManifest, Funnel]:
    """Filter a corpus into a folder of its own.

    Args:
        corpus: What is filtered.
        spec: The rules.
        output: The folder that is made: `text.jsonl`, `ledger.jsonl`, `funnel.json` and the manifest `corpus.json`.
        workers: Processes that judge.
        where: What the rules are called in messages.
        include: Files and folders of plug-ins that workers need.
        tell: Called now and then with the documents and UTF-8 bytes so far.

    Returns:
        The manifest, and what each rule removed.

    Raises:
        HarnessError: the folder is there already, a rule is unknown, the corpus cannot be read, or nothing is kept.
    """
    if output.exists():
        raise HarnessError(f"{output}: it is already there; remove it or choose another folder")
    rules = make_rules(spec, where)
    with output_folder(output) as folder, scratch_folder() as scratch:
        with (folder / LEDGER).open("w", encoding="utf-8") as ledger:
            pass_over = _Pass(spec, rules, where, scratch, ledger)
            source = pass_over.run(corpus, workers, include if workers > 1 else (), tell)
            duplicates = pass_over.duplicates()
            kept = pass_over.write(folder / TEXT, duplicates)
        funnel = pass_over.funnel
        if not funnel.kept_documents:
            worst = ", ".join(f"{rule} {count}" for rule, count in funnel.removed.most_common(3))
            raise HarnessError(f"{corpus.location}: no document is kept of {funnel.documents} (removed by: {worst})")
        (folder / "funnel.json").write_text(json.dumps(funnel.as_json(), indent=1) + "\n", encoding="utf-8")
        manifest = CorpusManifest(
            kind=KIND,
            files={name: facts for name, facts in facts_of_files(folder).items() if name == TEXT},  # type: ignore[misc]
            source=source,
            rules=_settings(spec, rules),
            code=_code(spec),
            documents=funnel.kept_documents,
            bytes=funnel.kept_bytes,
            fingerprint=kept,
            removed=dict(funnel.removed),
            edited=dict(funnel.edited),
        )
        write_manifest(folder, manifest)
    return manifest, funnel


def dedup_of(rules: Sequence[Rule]) -> DedupOptions | None:
    """How duplicates are found, where the last rule removes them."""
    return rules[-1].options if isinstance(rules[-1], Dedup) else None


class _Pass:
    """The documents of one corpus on their way through the rules."""

    def __init__(self, spec: FilterSpec, rules: Sequence[Rule], where: str, scratch: Path, ledger: TextIO) -> None:
        self.spec, self.where, self.scratch, self.ledger = spec, where, scratch, ledger
        self.funnel = Funnel(rule_names(spec))
        dedup = dedup_of(rules)
        self.finder = DuplicateFinder(scratch, dedup.exact, dedup.near) if dedup else None

    def run(
        self, corpus: Corpus, workers: int, include: Sequence[str], tell: Callable[[int, int], None]
    ) -> SourceFacts:
        """Judge every document; what is left is in the scratch folder."""
        hashed = TextsHash()
        with (self.scratch / "left.jsonl").open("w", encoding="utf-8") as left:
            stream = pieces(_sound(corpus, hashed, self.funnel))
            for piece, judged in through(Judge, (self.spec, self.where, include), stream, workers):
                for document, outcome in zip(piece, judged.outcomes, strict=True):
                    self._take(document, outcome, left)
                if self.finder is not None:
                    self.finder.add(judged.digests, judged.signatures)
                tell(self.funnel.documents, self.funnel.bytes)
        if not self.funnel.documents:
            raise HarnessError(f"{corpus.location}: there is no document in it")
        return SourceFacts(
            source=corpus.source, location=corpus.location, documents=self.funnel.documents, bytes=self.funnel.bytes,
            fingerprint=hashed.hexdigest(),
        )  # fmt: skip

    def _take(self, document: Document, outcome: Outcome, left: TextIO) -> None:
        self.funnel.edited.update(outcome.edited)
        if outcome.text is None:
            assert outcome.removal is not None
            removal = outcome.removal
            self.funnel.remove(outcome.rule, removal.reason, len(document.text.encode()))
            self._enter(document.place, outcome.rule, removal.reason, document.text, value=removal.value,
                        limit=removal.limit)  # fmt: skip
        else:
            left.write(_line({"text": outcome.text, "place": document.place, **_extra(document)}))

    def duplicates(self) -> Duplicates | None:
        """Those among what is left."""
        return self.finder.find() if self.finder is not None else None

    def write(self, path: Path, duplicates: Duplicates | None) -> str:
        """Write what is kept; returns its fingerprint."""
        hashed, name = TextsHash(), self.funnel.rules[-1]
        places = _Places(self.scratch / "places", duplicates)
        with (self.scratch / "left.jsonl").open(encoding="utf-8") as left, path.open("w", encoding="utf-8") as file:
            for number, line in enumerate(left):
                record = json.loads(line)
                kept_for = number if duplicates is None else int(duplicates.kept_for[number])
                if kept_for == number:
                    places.keep(number, record["place"])
                    self.funnel.kept_documents += 1
                    self.funnel.kept_bytes += hashed.add(record["text"])
                    file.write(line)
                    continue
                assert duplicates is not None
                reason = EXACT if number in duplicates.exact else NEAR
                self.funnel.remove(name, reason, len(record["text"].encode()))
                alike = duplicates.similarities.get(number)
                self._enter(record["place"], name, reason, record["text"], kept=places.of(kept_for),
                            similarity=None if alike is None else round(alike, 4))  # fmt: skip
        return hashed.hexdigest()

    def _enter(self, place: str, rule: str, reason: str, text: str, **more: Any) -> None:
        facts = {name: _rounded(value) for name, value in more.items() if value is not None}
        self.ledger.write(_line({"place": place, "rule": rule, "reason": reason, **facts, "text": text[:SHOWN]}))


class _Places:
    """Where the documents stand for which others are removed: in a file, found by their numbers."""

    def __init__(self, path: Path, duplicates: Duplicates | None) -> None:
        self._needed = frozenset(duplicates.clusters()) if duplicates is not None else frozenset()
        self._offsets: dict[int, int] = {}
        self._file = path.open("w+", encoding="utf-8")

    def keep(self, number: int, place: str) -> None:
        if number in self._needed:
            self._file.seek(0, 2)
            self._offsets[number] = self._file.tell()
            self._file.write(place + "\n")

    def of(self, number: int) -> str:
        self._file.seek(self._offsets[number])
        return self._file.readline().rstrip("\n")


def _sound(corpus: Corpus, hashed: TextsHash, funnel: Funnel) -> Iterator[Document]:
    """The documents that are not blank, counted and hashed."""
    for document in corpus.read(False):
        if not document.is_blank:
            funnel.documents += 1
            funnel.bytes += hashed.add(document.text)
            yield document


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _extra(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.metadata.items() if name not in ("text", "place")}


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _settings(spec: FilterSpec, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Each rule with all its settings, those left out with their defaults."""
    names = [name for rule in spec.rules for name in rule]
    return [
        {"rule": name, "splitter": spec.splitter, **rule.options.model_dump(mode="json")}
        for name, rule in zip(names, rules, strict=True)
    ]


def _code(spec: FilterSpec) -> dict[str, str]:
    """What the code is that judges."""
    names = {name for rule in spec.rules for name in rule}
    return {"filter": code_identity.identity("harness.corpora.filtering.filtering")} | {
        name: code_identity.identity(RULES.source(name)) for name in sorted(names)
    }
