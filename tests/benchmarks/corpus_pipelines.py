"""Whole pipelines over one generated corpus: datatrove's reader, filters and writer beside `harness corpus filter`.

    python tests/benchmarks/corpus_pipelines.py generate 1000 corpus.jsonl
    python tests/benchmarks/corpus_pipelines.py compare corpus.jsonl
    python tests/benchmarks/corpus_pipelines.py measure harness corpus filter corpus.jsonl --rules fineweb -o kept

Each runs in a process of its own with one worker; seconds are of processor time, memory is the most that was resident.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
RULES = ("gopher-repetition", "gopher-quality", "c4-quality", "fineweb-quality")
DATATROVE = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

if __name__ == "__main__":
    folder, name, output, logs = sys.argv[1:]
    steps = [
        JsonlReader(folder, glob_pattern=name), GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(),
        FineWebQualityFilter(), JsonlWriter(output, output_filename="kept.jsonl", compression=None),
    ]
    LocalPipelineExecutor(pipeline=steps, logging_dir=logs, tasks=1, workers=1).run()
"""


def sentences() -> list[str]:
    """Sentences of WikiText-2 and captions of Multi30k."""
    result = []
    for name in ("wikitext-2/test.txt", "wikitext-2/valid.txt"):
        for line in (SHARED / name).read_text(encoding="utf-8").split("\n"):
            parts = line.replace("<unk>", "it").split(" . ")
            result += [f"{part.strip()} ." for part in parts if len(part.split()) > 6]
    return result + (SHARED / "multi30k" / "train.en").read_text(encoding="utf-8").strip().split("\n")


def generate(path: Path, megabytes: float) -> int:
    """Write a corpus of that size, of these sentences recombined; returns its documents.

    One document in twenty is a copy, one in twenty a near copy, one in twenty a list of short lines, and one in twenty
    one sentence again and again.
    """
    known, draw = sentences(), random.Random(0)
    recent: list[str] = []
    documents = size = 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1e6:
            kind = draw.random()
            if kind < 0.05 and recent:
                text = draw.choice(recent)
            elif kind < 0.10 and recent:
                words = draw.choice(recent).split(" ")
                words[draw.randrange(len(words))] = "changed"
                text = " ".join(words)
            elif kind < 0.15:
                text = "\n".join(draw.choice(known)[:25] for _ in range(draw.randint(3, 20)))
            elif kind < 0.20:
                text = (draw.choice(known) + " ") * draw.randint(3, 9)
            else:
                lines = draw.randint(1, 8)
                text = "\n".join(" ".join(draw.choice(known) for _ in range(draw.randint(2, 6))) for _ in range(lines))
            if len(recent) < 5000:
                recent.append(text)
            elif draw.random() < 0.01:
                recent[draw.randrange(5000)] = text
            record = {"text": text, "source": draw.choice(["web", "books", "news"])}
            line = json.dumps(record | {"url": f"https://site{documents % 97}.org/{documents}"}) + "\n"
            size += file.write(line)
            documents += 1
    return documents


def measured(command: list[str]) -> dict[str, float]:
    """Run a command to its end: seconds of processor time, megabytes that were resident at most."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    with tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        assert process.returncode == 0, output.read()[-3000:]
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "seconds": round(time.monotonic() - begun, 1),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
    }


def compare(corpus: Path, folder: Path) -> dict[str, Any]:
    """Both pipelines on the corpus, harness with spaCy's words and with its own."""
    lines = corpus.read_text(encoding="utf-8").splitlines()
    megabytes, documents = sum(len(json.loads(line)["text"].encode()) for line in lines) / 1e6, len(lines)
    del lines
    script = folder / "datatrove_pipeline.py"
    script.write_text(DATATROVE, encoding="utf-8")
    runs = {
        "datatrove": [sys.executable, str(script), str(corpus.parent), corpus.name, str(folder / "theirs"), str(folder / "logs")]
    }  # fmt: skip
    for splitter in ("spacy", "rules"):
        rules = folder / f"{splitter}.yaml"
        rules.write_text(json.dumps({"rules": list(RULES), "splitter": splitter}), encoding="utf-8")
        runs[f"harness, splitter {splitter}"] = [
            sys.executable, "-m", "harness", "corpus", "filter", str(corpus), "--rules", str(rules), "-o",
            str(folder / splitter), "--quiet",
        ]  # fmt: skip
    kept = {"datatrove": folder / "theirs" / "kept.jsonl"} | {
        f"harness, splitter {splitter}": folder / splitter / "text.jsonl" for splitter in ("spacy", "rules")
    }
    rows: dict[str, dict[str, Any]] = {}
    for name, command in runs.items():
        row: dict[str, Any] = dict(measured(command))
        row["megabytes_per_cpu_second"] = round(megabytes / row["cpu_seconds"], 3)
        row["documents_per_cpu_second"] = round(documents / row["cpu_seconds"], 1)
        with kept[name].open(encoding="utf-8") as file:
            row["texts"] = [json.loads(line)["text"] for line in file]
        row["kept"] = len(row["texts"])
        rows[name] = row
        print(name, {key: value for key, value in row.items() if key != "texts"}, flush=True)
    theirs = rows["datatrove"]
    expected = theirs.pop("texts")
    for name, row in rows.items():
        if name != "datatrove":
            row["times_datatrove"] = round(theirs["cpu_seconds"] / row["cpu_seconds"], 2)
            row["kept_texts_are_equal"] = row.pop("texts") == expected
    return {"documents": documents, "megabytes": round(megabytes, 2), "pipelines": rows}


def main(verb: str, *arguments: str) -> None:
    """See the top of this file."""
    if verb == "generate":
        print(generate(Path(arguments[1]), float(arguments[0])))
    elif verb == "measure":
        print(json.dumps(measured(list(arguments))))
    else:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(compare(Path(arguments[0]).resolve(), Path(folder)), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
