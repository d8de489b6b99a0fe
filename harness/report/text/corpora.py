"""What one corpus bought over another: the models of a run that differ in it alone."""

from __future__ import annotations

from harness.core.store import Store
from harness.gating.engine import Judged, judge_all
from harness.gating.run_results import as_model, of_run
from harness.gating.settings import GateSpec
from harness.pipeline.planner.pretraining import corpora_by_name, on_corpus
from harness.report.tables.formats import markdown_table


def corpus_differences(store: Store, run: str) -> str:
    """A table for each model: every further corpus beside the first, paired over examples and seeds of fine-tuning."""
    manifest = store.run(run)
    first, *others = corpora_by_name(list(manifest.spec["corpus"]))
    results = of_run(store, run)
    suffix = on_corpus("", first)
    tables = []
    for model in (name.removesuffix(suffix) for name in results.models if name.endswith(suffix)):
        for corpus in others:
            pair = [on_corpus(model, corpus_name) for corpus_name in (first, corpus)]
            if pair[1] not in results.models:
                continue
            base, candidate = (as_model(results, name, model) for name in pair)
            report, _ = judge_all(base, candidate, GateSpec(allow=["tokenizer"]))
            tables.append(
                markdown_table(
                    f"{model}: {corpus} against {first}, equal tokens",
                    ["task", first, corpus, "difference", "p adj.", "seeds", "examples"],
                    [_line(row) for row in report.rows],
                    ["Differences ×100 with 95 % intervals, paired over examples and seeds of fine-tuning; one "
                     "pretraining each, so that how pretrainings vary is not in them."],
                )
            )  # fmt: skip
    return "\n\n".join(table.rstrip("\n") for table in tables)


def _line(row: Judged) -> list[str]:
    def shown(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f}"

    difference = "–"
    if row.drop is not None and row.low is not None and row.high is not None:
        difference = f"{-100 * row.drop:+.1f} [{-100 * row.high:.1f}, {-100 * row.low:.1f}]"
    p = "–" if row.p is None else f"{row.p:.3f}"
    return [row.task, shown(row.base), shown(row.candidate), difference, p, str(row.seeds), str(row.n)]
