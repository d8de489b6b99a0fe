"""Extractive question answering: windows, spans, and predictions against a plain one-by-one implementation."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.modeling.heads.question_answering import HEAD, best_spans, cut, tokens_of
from harness.modeling.inference import scoring
from tests.unit.modeling.heads.given import batch_of, model, reader, split, task, tokenizer

LONG = "the old stone house is near the river. a small bird sings under the green tree! who walks over the blue river? "
CHINESE = "我喜欢红色的石头房子。河边有一棵树。"
ROWS = [
    ("who sings?", "a small bird sings under the green tree!", ("a small bird",)),
    ("where is the house?", LONG * 3, ("near the river",)),
    ("where?", LONG + CHINESE + LONG, ("河边",)),
    ("河边有?", CHINESE * 4, ("一棵树",)),
    ("who walks over the blue river near the old stone house under the green tree? " * 3, LONG * 2, ("bird",)),
    ("is it red?", LONG, ()),
    ("is it?", "", ()),
]


def rows(drop_unanswered: bool = False):
    chosen = [row for row in ROWS if row[2] or not drop_unanswered]
    starts = [tuple(context.rindex(answer) for answer in answers) for _, context, answers in chosen]
    return split(
        {"question": [row[0] for row in chosen], "context": [row[1] for row in chosen]},
        [row[2] for row in chosen], starts=tuple(starts),
    )  # fmt: skip


def asked(max_length: int = 32, null_answers: bool = True, **decoding):
    of = task("question-answering", decoding={"doc_stride": 8, "max_answer_length": 6, "n_best": 5} | decoding)
    return reader(of, "wordpiece", max_length=max_length, fitted={"null_answers": null_answers})


@pytest.fixture(scope="module")
def bert():
    return model("AutoModelForQuestionAnswering", "bert", "wordpiece")


@pytest.mark.parametrize("max_length", [8, 16, 32, 64, 400])
def test_windows_hold_every_token_of_the_context_and_never_too_many(max_length):
    data = rows()
    windows = cut(asked(max_length), data)
    assert set(windows.example) == set(range(len(data)))
    tokens = tokenizer("wordpiece")
    for index, context in enumerate(data.fields["context"]):
        seen = [window for window, example in enumerate(windows.example) if example == index]
        places = {place for window in seen for place in windows.characters[window] if place is not None}
        assert (
            sorted(places) == tokens(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        )
        assert all(len(windows.columns["input_ids"][window]) <= max_length for window in seen)
        if len(tokens(data.fields["question"][index], context)["input_ids"]) <= max_length:
            assert len(seen) == 1


def test_neighbouring_windows_share_the_stride():
    data = rows().select([1])
    characters = cut(asked(32), data).characters
    assert len(characters) > 2
    for one, other in itertools.pairwise(characters):
        assert len({place for place in one if place} & {place for place in other if place}) == 8


def test_a_length_that_leaves_no_room_for_the_context_is_refused():
    with pytest.raises(HarnessError, match="max_length 4 has no room for a question and its context"):
        cut(asked(4), rows())


@pytest.mark.parametrize("max_length", [24, 32, 64, 400])
def test_a_window_points_at_the_answer_it_holds_and_at_the_start_where_it_holds_none(max_length):
    data = rows()
    settings = asked(max_length)
    windows, encoded = cut(settings, data), HEAD.encode(settings, data)
    found: set[int] = set()
    for window, example in enumerate(windows.example):
        start, end = encoded.columns["start_positions"][window], encoded.columns["end_positions"][window]
        characters = [place for place in windows.characters[window] if place is not None]
        answers, starts = data.labels[example], data.starts[example]
        held = bool(answers) and characters[0][0] <= starts[0] and characters[-1][1] >= starts[0] + len(answers[0])
        if not held:
            assert (start, end) == (0, 0)
            continue
        found.add(example)
        first, last = windows.characters[window][start], windows.characters[window][end]
        assert (first[0], last[1]) == (starts[0], starts[0] + len(answers[0]))
    assert found == {index for index, answers in enumerate(data.labels) if answers}
    assert encoded.truncated == sum(windows.example.count(index) > 1 for index in range(len(data)))


def test_spaces_around_an_answer_and_letters_a_tokenizer_drops_do_not_lose_it():
    context = "the old cafe\u0301 house."
    data = split(
        {"question": ["which?", "which?"], "context": [context, context]}, [(" old ",), ("cafe\u0301",)],
        starts=((3,), (8,)),
    )  # fmt: skip
    lowercase = reader(task("question-answering"), "wordpiece")
    backend = type(lowercase.tokenizer.backend_tokenizer).from_str(lowercase.tokenizer.backend_tokenizer.to_str())
    from tokenizers import normalizers
    from transformers import PreTrainedTokenizerFast

    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokens = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    settings = replace(lowercase, tokenizer=tokens)
    encoded, windows = HEAD.encode(settings, data), cut(settings, data)
    for window, expected in ((0, "old"), (1, "cafe")):
        start, end = encoded.columns["start_positions"][window], encoded.columns["end_positions"][window]
        first, last = windows.characters[window][start], windows.characters[window][end]
        assert context[first[0] : last[1]].startswith(expected) and start > 0


def test_an_answer_cut_by_the_edge_of_a_window_is_not_in_it():
    characters = [None, (0, 3), (4, 7), (8, 12), None]
    assert tokens_of(characters, 4, 12) == (2, 3)
    assert tokens_of(characters, 5, 6) == (2, 2)
    assert tokens_of(characters, 8, 14) is None
    assert tokens_of(characters[2:], 2, 7) is None
    assert tokens_of([None], 0, 3) is None
    assert tokens_of(characters, 20, 22) is None


def test_the_best_spans_are_those_of_brute_force():
    draw = np.random.default_rng(0)
    for _ in range(50):
        count = int(draw.integers(2, 14))
        characters = [None, *((4 * place, 4 * place + 3) for place in range(count)), None]
        start, end = draw.normal(size=(2, count + 2))
        n_best, longest = int(draw.integers(1, 40)), int(draw.integers(1, 6))
        every = [
            (start[first] + end[last], characters[first][0], characters[last][1])
            for first in range(1, count + 1) for last in range(first, min(first + longest, count + 1))
        ]  # fmt: skip
        found = best_spans(start, end, characters, n_best, longest)
        assert found == [pytest.approx(span) for span in sorted(every, reverse=True)[:n_best]]
    assert best_spans(np.ones(2), np.ones(2), [None, None], 3, 5) == []


def one_by_one(bert, settings, data) -> list[tuple[str, float | None, list[str]]]:
    """The answer, the margin and the n best of each example: all spans of all windows, one window at a time."""
    import torch

    tokens, decoding = settings.tokenizer, settings.task.decoding
    results = []
    for question, context in zip(data.fields["question"], data.fields["context"], strict=True):
        pieces = tokens(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        room = (settings.max_length - 3) // 2
        if len(pieces) > room:
            question = question[: pieces[room - 1][1]]
        output = tokens(
            question, context, truncation="only_second", max_length=settings.max_length, stride=decoding.doc_stride,
            return_overflowing_tokens=True, return_offsets_mapping=True,
        )  # fmt: skip
        null, spans = float("inf"), []
        for window in range(len(output["input_ids"])):
            inputs = {name: torch.tensor([output[name][window]]) for name in tokens.model_input_names}
            with torch.no_grad():
                logits = bert(**inputs)
            start, end = logits.start_logits[0].tolist(), logits.end_logits[0].tolist()
            null = min(null, start[0] + end[0])
            inside = [token for token, side in enumerate(output.sequence_ids(window)) if side == 1]
            offsets = output["offset_mapping"][window]
            spans += [
                (start[first] + end[last], context[offsets[first][0] : offsets[last][1]])
                for first in inside for last in inside if first <= last < first + decoding.max_answer_length
            ]  # fmt: skip
        spans = sorted(spans, reverse=True)[: decoding.n_best]
        margin = null - spans[0][0] if spans else None
        nothing = margin is None or (settings.fitted["null_answers"] and margin > 0)
        results.append(("" if nothing else spans[0][1], margin, list(dict.fromkeys(text for _, text in spans))))
    return results


@pytest.mark.parametrize("null_answers", [True, False])
def test_predictions_are_those_of_one_window_at_a_time(bert, null_answers):
    settings, data = asked(null_answers=null_answers), rows()
    predicted = HEAD.predict(bert, settings, data)
    expected = one_by_one(bert, settings, data)
    assert predicted.values.tolist() == [answer for answer, _, _ in expected]
    assert predicted.columns["n_best"] == [texts for _, _, texts in expected]
    for found, (_, margin, _) in zip(predicted.columns["null_margin"], expected, strict=True):
        assert found is None if margin is None else found == pytest.approx(margin, abs=1e-4)
    for scores in predicted.columns["n_best_scores"]:
        assert scores == sorted(scores, reverse=True)
    for answer, context in zip(predicted.values, data.fields["context"], strict=True):
        assert answer in context


@pytest.mark.parametrize("tokens", [1, 100, 5000])
def test_predictions_do_not_depend_on_the_batches(bert, monkeypatch, tokens):
    settings, data = asked(), rows()
    before = HEAD.predict(bert, settings, data)
    monkeypatch.setitem(scoring.SCORING_TOKENS, "cpu", tokens)
    after = HEAD.predict(bert, settings, data)
    assert after.values.tolist() == before.values.tolist()
    for one, other in zip(before.columns["n_best_scores"], after.columns["n_best_scores"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_no_answer_is_a_choice_only_where_training_had_some(bert):
    settings = asked()
    assert HEAD.fitted(settings, rows()) == {"null_answers": True}
    assert HEAD.fitted(settings, rows(drop_unanswered=True)) == {"null_answers": False}
    data = rows().head(6)
    with_null = HEAD.predict(bert, settings, data)
    margins = np.array(with_null.columns["null_margin"])
    assert (margins < 0).any(), "some answers must win here, and below all of them lose"
    assert [value == "" for value in with_null.values] == (margins > 0).tolist()
    assert all(HEAD.predict(bert, asked(null_answers=False), data).values)

    class Shy:
        """The model, sure that nothing is an answer."""

        config, device, eval = bert.config, bert.device, bert.eval

        def __call__(self, **inputs):
            output = bert(**inputs)
            output.start_logits[:, 0] += 1000
            return output

    assert not any(HEAD.predict(Shy(), settings, data).values)
    assert all(HEAD.predict(Shy(), asked(null_answers=False), data).values)


def test_the_loss_sums_what_transformers_averages(bert):
    import torch

    settings = asked()
    encoded = HEAD.encode(settings, rows())
    batch = batch_of(encoded, settings.tokenizer)
    with torch.no_grad():
        expected = float(bert(**batch).loss) * len(encoded)
        assert float(HEAD.loss(bert, dict(batch), settings)) == pytest.approx(expected, rel=1e-4)


def test_windows_of_random_texts_lose_nothing():
    draw = random.Random(1)
    words = ["the", "old", "stone", "house", "我喜欢", "river,", "zzz"]
    contexts = [" ".join(draw.choices(words, k=draw.randrange(0, 80))) for _ in range(20)]
    questions = [" ".join(draw.choices(words, k=draw.randrange(1, 60))) for _ in contexts]
    data = split({"question": questions, "context": contexts}, [()] * 20, starts=((),) * 20)
    for max_length in (6, 11, 30):
        windows = cut(asked(max_length, doc_stride=500), data)
        for index, context in enumerate(contexts):
            covered = {
                place for window, example in enumerate(windows.example) if example == index
                for span in windows.characters[window] if span for place in range(*span)
            }  # fmt: skip
            assert covered == {place for place, letter in enumerate(context) if letter != " "}
