"""Typed noise: what each kind does, that it is the same everywhere, and which splits and tasks it touches."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.noise import with_noise
from harness.core.registry import load_registry
from harness.core.specs import TaskSpec
from harness.data import load, state
from harness.data.noise import NEIGHBOURS, NOISES, case, punctuation, typos

TEXT = 'The letters of his "well-known" friend arrived at 9.30, didn\'t they? Some 1,000 people, -5 degrees; yes.'
Make = Callable[..., TaskSpec]
Write = Callable[[str, "str | bytes"], Path]


def many(perturb: Callable[..., str], text: str, count: int = 400) -> list[str]:
    return [perturb(text, random.Random(f"{seed}").random) for seed in range(count)]


def is_one_slip(word: str, typed: str) -> bool:
    near = {letter: set(NEIGHBOURS[letter]) for letter in NEIGHBOURS}
    cuts = range(1, len(word))
    made = {word[:at] + word[at + 1 :] for at in cuts}
    made |= {word[:at] + key + word[at + 1 :] for at in cuts for key in near[word[at]]}
    made |= {word[:at] + key + word[at:] for at in cuts for key in near[word[at]]}
    made |= {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)}
    return typed in made


def test_a_typo_is_one_slip_of_the_keyboard_inside_a_word_of_four_letters_or_more():
    words = ["the", "film", "was", "wonderful", "although", "nobody", "noticed"]
    typed = Counter()
    for text in many(typos, " ".join(words)):
        assert len(text.split()) == len(words)
        for word, other in zip(words, text.split(), strict=True):
            if other != word:
                assert len(word) >= 4
                assert other[0] == word[0]
                assert is_one_slip(word, other), (word, other)
                typed[word] += 1
    assert sum(typed.values()) / (400 * 5) == pytest.approx(0.2, abs=0.03)


def test_neighbours_on_the_keyboard_are_mutual_and_close():
    rows = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]
    place = {letter: (row, column + row / 2) for row, keys in enumerate(rows) for column, letter in enumerate(keys)}
    for letter, near in NEIGHBOURS.items():
        for other in near:
            (row, column), (row_of, column_of) = place[letter], place[other]
            assert other != letter
            assert abs(row - row_of) <= 1 and abs(column - column_of) <= 1.5, (letter, other)


def test_letters_beyond_the_keyboard_are_swapped_or_left_out():
    for text in many(typos, "ελληνικά"):
        assert set(text) <= set("ελληνικά")


def test_case_changes_nothing_but_case():
    found = many(case, TEXT)
    assert {text.lower() for text in found} == {TEXT.lower()}
    assert {TEXT.lower(), TEXT.upper()} <= set(found)


def test_punctuation_keeps_words_and_numbers():
    found = many(punctuation, TEXT)
    assert any(text != TEXT for text in found)
    for text in found:
        assert "".join(filter(str.isalnum, text)) == "".join(filter(str.isalnum, TEXT))
        assert all(number in text for number in ("9.30", "1,000", "-5"))


@pytest.fixture
def mood(write: Write, tmp_path: Path) -> Path:
    write("train.csv", "text,label\nthe first lovely film,good\nanother dreadful evening,bad\n")
    rows = "".join(f'"what happened yesterday, evening number {index}.",good\n' for index in range(20))
    write("dev.csv", "text,label\n" + rows)
    return tmp_path


@pytest.mark.parametrize("name", NOISES)
def test_only_the_texts_of_the_scored_split_change(name: str, mood: Path, task: Make):
    clean, noisy = load(task(), str(mood)), load(with_noise(task(), name), str(mood))
    assert list(noisy.splits) == ["dev"]
    one, other = clean.splits["dev"], noisy.splits["dev"]
    assert (one.ids, one.labels) == (other.ids, other.labels)
    assert one.fields != other.fields
    assert one.fingerprint != other.fingerprint
    assert noisy.fingerprints()["dev"]["clean"] == one.fingerprint
    assert noisy.labels == clean.labels
    assert f"dev: {name} in " in " ".join(noisy.notes)
    assert state(task(), str(mood)) != state(with_noise(task(), name), str(mood))


def test_examples_that_are_shown_stay_clean(mood: Path, task: Make):
    shown = task().model_copy(update={"name": "mood@1-shot", "shots": 1})
    noisy = load(with_noise(shown, "typos"), str(mood))
    assert noisy.splits["train"].clean is None
    assert noisy.splits["train"].fields["text"][0] == "the first lovely film"


def test_noise_depends_on_the_id_and_not_on_the_rows_around(mood: Path, task: Make):
    noisy = with_noise(task(), "typos")
    whole, part = load(noisy, str(mood)).splits["dev"], load(noisy, str(mood), limit=7).splits["dev"]
    assert part.fields["text"] == whole.fields["text"][:7]
    assert len(set(whole.fields["text"])) > 10


def test_noise_is_the_same_in_every_process():
    code = (
        "from harness import data; from harness.core.registry import load_registry; r = load_registry();"
        "print([data.load(r.task(f'mrpc+{n}'), 'synthetic', limit=30).splits['dev'].fingerprint"
        " for n in ('typos', 'case', 'punctuation')])"
    )
    root = str(Path(__file__).parents[3])
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_noise_is_what_it_was():
    """A change of these raises the noise's version."""
    found = {name: noise.perturb(TEXT, random.Random("59").random) for name, noise in NOISES.items()}
    assert found == {
        "typos": 'The letters of his "wdell-knonw" friend arrived at 9.30, didn\'t tey? Some 1,000 people, -5 degreed; yes.',
        "case": 'The Letters Of His "Well-Known" Friend Arrived At 9.30, Didn\'T They? Some 1,000 People, -5 Degrees; Yes.',
        "punctuation": 'The letters of his "wellknown" friend arrived at 9.30, didnt they? Some 1,000- people, -5 degrees;; yes',
    }


def test_a_task_under_noise_is_asked_for_by_name():
    registry = load_registry()
    noisy = registry.task("ax+case")
    assert (noisy.name, noisy.noise, noisy.train_on, noisy.clean) == ("ax+case", "case", "mnli", registry.task("ax"))
    shown = registry.task("sst2@2-shot+typos")
    assert (shown.shots, shown.noise, shown.clean.name) == (2, "typos", "sst2@2-shot")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sst2+tipos", "unknown noise 'tipos' in task 'sst2+tipos'. Did you mean 'typos'?"),
        ("sst2+", "unknown noise '' in task 'sst2+'. Known: bae, case, deepwordbug, punctuation, textfooler, typos."),
        ("sst3+typos", "unknown task 'sst3'. Did you mean 'sst2'?"),
        ("squad+typos", "answers that are a class or a number, those of question-answering are text; ask for squad"),
        ("wikitext+typos", "those of language-modeling are text"),
    ],
)
def test_noise_that_there_is_none_of_is_refused(name: str, said: str):
    with pytest.raises(HarnessError, match=re.escape(said)):
        load_registry().task(name)


def test_a_task_file_cannot_have_noise_itself(write: Write, tmp_path: Path):
    path = write(
        "mine.yaml",
        "name: mine\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [accuracy]\nnoise: typos\n",
    )
    with pytest.raises(HarnessError, match=r"ask for it as mine\+typos"):
        load_registry([path])
