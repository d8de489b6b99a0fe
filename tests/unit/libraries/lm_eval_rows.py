"""A few rows of each dataset that tasks of lm_eval read, in its columns, so that the tasks' own prompts, filters and
metrics run without the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Rows = list[dict[str, Any]]
Splits = dict[str, Rows]

THINGS = ["film", "river", "small dog", "old house", "train", "garden"]
VERBS = ["opened", "moved", "was found", "ended", "grew", "stopped"]
COUNT = 5


def sentence(at: int) -> str:
    return f"The {THINGS[at % 6]} {VERBS[(at * 5 + 1) % 6]} near the {THINGS[(at + 2) % 6]}, and nobody knew it{'!' * (at % 2)}"


def rows(make: Callable[[int], dict[str, Any]], count: int = COUNT, start: int = 0) -> Rows:
    return [make(at) for at in range(start, start + count)]


def splits(make: Callable[[int], dict[str, Any]], *names: str) -> Splits:
    """Other rows in each split."""
    return {name: rows(make, start=7 * at) for at, name in enumerate(names or ("train", "validation", "test"))}


def choices(at: int, count: int = 4) -> list[str]:
    return [f"{THINGS[(at + choice) % 6]} {VERBS[choice % 6]}{' again' * (choice % 2)}" for choice in range(count)]


def pair(at: int, **more: Any) -> dict[str, Any]:
    return {"sentence1": sentence(at), "sentence2": sentence(at + 1), "label": at % 2, **more}


def story(at: int) -> dict[str, Any]:
    return {f"input_sentence_{part}": sentence(at + part) + "." for part in range(1, 5)} | {
        "sentence_quiz1": sentence(at + 5), "sentence_quiz2": sentence(at + 6), "answer_right_ending": 1 + at % 2,
    }  # fmt: skip


def blank(at: int) -> dict[str, Any]:
    return {
        "sentence": f"{THINGS[at]} met {THINGS[at + 1]} since _ had called before.", "option1": THINGS[at],
        "option2": THINGS[at + 1], "answer": str(1 + at % 2),
    }  # fmt: skip


def numbered(at: int) -> dict[str, Any]:
    return {
        "question": f"How many {THINGS[at % 6]}s are {at} and {at + 2}?",
        "answer": f"{at} + {at + 2} = {2 * at + 2}\n#### {2 * at + 2}",
    }


def arc(at: int) -> dict[str, Any]:
    return {
        "id": str(at), "question": f"Which one {VERBS[at % 6]}?", "answerKey": "ABCD"[at % 4],
        "choices": {"text": choices(at), "label": ["A", "B", "C", "D"]},
    }  # fmt: skip


def quiz(at: int) -> dict[str, Any]:
    return {"question": f" What {VERBS[at % 6]}? ", "subject": "any", "choices": choices(at), "answer": at % 4}


def chinese(at: int) -> dict[str, Any]:
    return {
        "Question": f"第{at}个是什么？",
        "Answer": "ABCD"[at % 4],
        **dict(zip("ABCD", ["河", "房子", "小狗", "花园"], strict=True)),
    }


def cause(at: int) -> dict[str, Any]:
    return {
        "premise": sentence(at) + ".", "choice1": "The door was open.", "choice2": "Nobody came.",
        "question": ("cause", "effect")[at % 2], "label": at % 2,
    }  # fmt: skip


def inference(at: int) -> dict[str, Any]:
    return {
        "premise": sentence(at) + ".",
        "hypothesis": f"the {THINGS[at % 6]} {VERBS[at % 6]}",
        "label": at % 3,
        "idx": at,
    }


def race(at: int) -> dict[str, Any]:
    problems = [
        {"question": f"What {verb}?  _  .", "answer": "ABCD"[(at + place) % 4], "options": choices(at + place)}
        for place, verb in enumerate(VERBS[:2])
    ]
    return {"article": sentence(at) + ".", "problems": repr(problems)}


def truth(at: int) -> dict[str, Any]:
    return {
        "question": f"What {VERBS[at % 6]}?",
        "mc1_targets": {"choices": choices(at), "labels": [1, 0, 0, 0]},
        "mc2_targets": {"choices": choices(at, 5), "labels": [1, 1, 0, 0, 0]},
    }


def drop(at: int) -> dict[str, Any]:
    answer = {
        "number": str(at) if at % 2 else "",
        "date": {"day": "", "month": "", "year": ""},
        "spans": [] if at % 2 else [THINGS[at % 6]],
    }
    more = {"number": ["3"], "date": [{"day": "", "month": "", "year": ""}], "spans": [[]]}
    return {
        "query_id": str(at),
        "passage": sentence(at),
        "question": f"What {VERBS[at % 6]}?",
        "answer": answer,
        "validated_answers": more,
    }


def document(at: int) -> dict[str, Any]:
    return {
        "page": " = Title = \n "
        + " ".join(f"{sentence(at + part)} @-@ {part} , and so on ." for part in range(3 + 6 * (at % 3)))
    }


def long_text(at: int) -> dict[str, Any]:
    return {"text": "" if at == 3 else " ".join(sentence(at + part) for part in range(1 + 8 * at))}


def winograd(at: int) -> dict[str, Any]:
    text = f"{THINGS[at]} hit the wall because it was weak."
    return {
        "text": text,
        "options": [THINGS[at], "The wall"],
        "pronoun": "it",
        "pronoun_loc": text.index("it was"),
        "label": at % 2,
    }


def words(at: int) -> dict[str, Any]:
    text = sentence(at)
    begin = text.index("near")
    return {"sentence1": text, "sentence2": sentence(at + 2), "start1": begin, "end1": begin + 4, "label": at % 2}


DATASETS: dict[tuple[str, str | None], Splits] = {
    ("Rowan/hellaswag", None): splits(
        lambda at: {"ctx_a": sentence(at) + ".", "ctx_b": "then a man", "activity_label": "Work [step] well", "endings": [
            f" {choice} [title] end" for choice in choices(at)], "label": str(at % 4)}
    ),
    ("allenai/ai2_arc", "ARC-Easy"): splits(arc),
    ("allenai/ai2_arc", "ARC-Challenge"): splits(arc),
    ("baber/piqa", None): splits(lambda at: {"goal": sentence(at), "sol1": choices(at)[0], "sol2": choices(at)[1], "label": at % 2}),
    ("allenai/winogrande", "winogrande_xl"): splits(lambda at: blank(at % 5)),
    ("Muennighoff/xwinograd", "en"): splits(lambda at: blank(at % 5), "test"),
    ("aps/super_glue", "boolq"): splits(lambda at: {"passage": sentence(at), "question": "is it so", "label": at % 2}),
    ("aps/super_glue", "copa"): splits(cause),
    ("aps/super_glue", "cb"): splits(inference),
    ("aps/super_glue", "wic"): splits(words),
    ("aps/super_glue", "wsc.fixed"): splits(
        lambda at: {"text": "Ann told Bea that she had won the game .", "span1_text": "Ann", "span2_text": "she", "span2_index": 4, "label": at % 2}
    ),
    ("aps/super_glue", "multirc"): splits(
        lambda at: {"paragraph": sentence(at), "question": "What was it?", "answer": THINGS[at % 6], "label": at % 2, "idx": {"question": at // 2, "answer": at}}
    ),
    ("nyu-mll/glue", "rte"): splits(pair),
    ("nyu-mll/glue", "mrpc"): splits(pair),
    ("nyu-mll/glue", "qnli"): splits(lambda at: {"question": f"What {VERBS[at % 6]}?", "sentence": sentence(at), "label": at % 2}),
    ("nyu-mll/glue", "sst2"): splits(lambda at: {"sentence": sentence(at), "label": at % 2}),
    ("nyu-mll/glue", "cola"): splits(lambda at: {"sentence": sentence(at), "label": int(at % 3 > 0)}),
    ("nyu-mll/glue", "mnli"): splits(inference, "train", "validation_matched"),
    ("allenai/openbookqa", "main"): splits(
        lambda at: {"question_stem": sentence(at), "choices": {"text": choices(at), "label": list("ABCD")}, "answerKey": "ABCD"[at % 4]}
    ),
    ("allenai/sciq", None): splits(
        lambda at: {"support": f" {sentence(at)}", "question": "What is it?", "correct_answer": THINGS[at % 6],
                    **{f"distractor{place}": choices(at)[place] for place in (1, 2, 3)}}
    ),
    ("EleutherAI/lambada_openai", "default"): splits(lambda at: {"text": sentence(at).rstrip("!")}, "test"),
    ("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1"): splits(document),
    ("NeelNanda/pile-10k", None): splits(long_text, "train"),
    ("openai/gsm8k", "main"): splits(numbered, "train", "test"),
    ("mandarjoshi/trivia_qa", "rc.nocontext"): splits(lambda at: {"question": f"What {VERBS[at % 6]}", "answer": {"aliases": choices(at)[:2], "value": THINGS[at % 6]}}),
    ("google-research-datasets/nq_open", None): splits(lambda at: {"question": f"what {VERBS[at % 6]}", "answer": choices(at)[: 1 + at % 2]}, "train", "validation"),
    ("cais/mmlu", "anatomy"): splits(quiz, "test", "validation", "dev"),
    ("truthfulqa/truthful_qa", "multiple_choice"): splits(truth, "validation"),
    ("nyu-mll/blimp", "adjunct_island"): splits(lambda at: {"sentence_good": sentence(at), "sentence_bad": sentence(at + 1)}, "train"),
    ("facebook/anli", None): splits(inference, "train_r1", "dev_r1", "test_r1"),
    ("facebook/xnli", "en"): splits(inference),
    ("EleutherAI/drop", None): splits(drop, "train", "validation"),
    ("EleutherAI/race", "high"): splits(race, "test"),
    ("EleutherAI/logiqa", "logiqa"): splits(
        lambda at: {"context": sentence(at), "question": "Which?", "options": choices(at), "label": "abcd"[at % 4]}
    ),
    ("cambridgeltl/xcopa", "it"): splits(cause, "validation", "test"),
    ("skg/toxigen-data", "annotated"): splits(
        lambda at: {"text": sentence(at), "toxicity_ai": float(at % 5 + 1), "toxicity_human": float(at % 4)}, "train", "test"
    ),
    ("tau/commonsense_qa", None): splits(
        lambda at: {"question": f" What {VERBS[at % 6]}? ", "choices": {"text": choices(at, 5), "label": list("ABCDE")}, "answerKey": "ABCDE"[at % 5]}
    ),
    ("lighteval/siqa", None): splits(
        lambda at: {"context": sentence(at), "question": "Why?", **dict(zip(("answerA", "answerB", "answerC"), choices(at), strict=False)), "label": str(at % 3 + 1)},
        "train", "validation",
    ),
    ("allenai/swag", "regular"): splits(lambda at: {"startphrase": sentence(at), "label": at % 4, **{f"ending{place}": text for place, text in enumerate(choices(at))}}),
    ("EleutherAI/headqa", "en"): splits(
        lambda at: {"qtext": sentence(at), "ra": at % 4 + 1, "answers": [{"aid": place + 1, "atext": text} for place, text in enumerate(choices(at))]}
    ),
    ("wmt/wmt16", "de-en"): splits(lambda at: {"translation": {"en": sentence(at), "de": f"Der {THINGS[at % 6]}"}}),
    ("EleutherAI/asdiv", None): splits(lambda at: {"body": sentence(at), "question": "How many?", "answer": f"{at + 1} (dogs)"}, "validation"),
    ("CogComp/mc_taco", None): splits(
        lambda at: {"sentence": sentence(at), "question": "How long?", "answer": "a day", "label": at % 2}, "validation", "test"
    ),
    ("stanfordnlp/web_questions", None): splits(lambda at: {"question": f"what {VERBS[at % 6]}?", "answers": choices(at)[: 2]}, "train", "test"),
    ("EleutherAI/mutual", "mutual"): splits(lambda at: {"article": f"m : {sentence(at)} .", "options": choices(at), "answers": "ABCD"[at % 4]}, "train", "validation"),
    ("lighteval/winograd_wsc", "wsc273"): splits(lambda at: winograd(at % 6), "test"),
    ("SaylorTwift/bbh", "boolean_expressions"): splits(lambda at: {"input": "not True and False is", "target": ("True", "False")[at % 2]}, "test"),
    ("EleutherAI/unscramble", "mid_word_1_anagrams"): splits(lambda at: {"context": f"hosue {at} =", "completion": "house"}, "validation"),
    ("EleutherAI/hendrycks_ethics", "commonsense"): splits(lambda at: {"input": sentence(at), "label": at % 2}, "train", "test"),
    ("juletxara/xstory_cloze", "en"): splits(story, "train", "eval"),
    ("jannalu/crows_pairs_multilingual", "english"): splits(lambda at: {"sent_more": sentence(at), "sent_less": sentence(at + 1), "bias_type": "age"}, "test"),
    ("haonan-li/cmmlu", "agronomy"): splits(chinese, "test", "dev"),
}  # fmt: skip

TASKS: dict[str, str] = {
    "hellaswag": "choice", "arc_easy": "choice", "arc_challenge": "choice", "piqa": "choice", "openbookqa": "choice",
    "sciq": "choice", "commonsense_qa": "choice", "social_iqa": "choice", "swag": "choice", "headqa_en": "choice",
    "race": "choice", "logiqa": "choice", "mutual": "choice", "xstorycloze_en": "choice",
    "winogrande": "contexts", "xwinograd_en": "contexts", "wsc273": "contexts",
    "copa": "choice", "xcopa_it": "choice", "boolq": "labels", "cb": "labels", "rte": "labels", "wic": "labels",
    "wsc": "labels", "multirc": "labels", "anli_r1": "labels", "xnli_en": "labels", "mnli": "labels", "mrpc": "labels",
    "sst2": "labels", "cola": "labels", "qnli": "labels", "toxigen": "labels", "mc_taco": "labels", "ethics_cm": "labels",
    "mmlu_anatomy": "letters", "cmmlu_agronomy": "letters",
    "truthfulqa_mc1": "choice", "truthfulqa_mc2": "several right", "webqs": "several right",
    "blimp_adjunct_island": "pairs", "crows_pairs_english": "pairs",
    "lambada_openai": "continuation", "asdiv": "continuation",
    "wikitext": "rolling", "pile_10k": "rolling",
    "gsm8k": "generation", "triviaqa": "generation", "nq_open": "generation", "drop": "generation",
    "mmlu_flan_n_shot_generative_anatomy": "generation", "anagrams1": "generation",
    "bbh_zeroshot_boolean_expressions": "generation", "wmt16-en-de": "generation",
}  # fmt: skip
"""Tasks, and the kind of each."""


@contextmanager
def without_hub() -> Iterator[None]:
    """Datasets are read from here."""
    import datasets

    def load(path: str, name: str | None = None, **more: Any) -> Any:
        if path == "json":
            return theirs(path, name, **more)
        found = DATASETS[path, name]
        return datasets.DatasetDict({split: datasets.Dataset.from_list(made) for split, made in found.items()})

    theirs = datasets.load_dataset
    datasets.load_dataset = load
    try:
        yield
    finally:
        datasets.load_dataset = theirs
