"""Tokenizers trained on a corpus, of BERT's, GPT-2's and T5's kinds: the same from the same texts, in any process.

The trainers of `tokenizers` break ties by ids, and number letters in the order of a randomly seeded hash table: another
vocabulary in every process. So every letter is given to them beforehand, as if it were special, and has its id; the
vocabulary that comes out is put into a tokenizer where only the special tokens are special.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.core.pretraining_specs import TokenizerSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = (PAD, UNK, CLS, SEP, MASK)
CONTINUED = "##"
METASPACE = "▁"
"""What a unigram vocabulary writes for the space before a word."""
END_OF_TEXT, GPT_PAD, GPT_SEP = "<|endoftext|>", "<|pad|>", "<|sep|>"
T5_PAD, T5_END, T5_UNK = "<pad>", "</s>", "<unk>"
SENTINELS = tuple(f"<extra_id_{index}>" for index in range(100))
BYTES = tuple(f"<0x{value:02X}>" for value in range(256))
AT_ONCE = 10_000
"""Texts whose words are held."""
STEP = 1e-4
"""Between the scores of letters that a unigram trainer adds to its vocabulary."""
HAN = r"[\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]"


def train(spec: TokenizerSpec, texts: Iterable[str], max_length: int) -> PreTrainedTokenizerFast:
    """A tokenizer of the kind asked for, with at most `spec.vocab_size` entries, or one a letter where that is more.

    `wordpiece`: `[CLS] a [SEP] b [SEP]` with segment ids (Wu et al. 2016; Devlin et al. 2019). `bytebpe`: `a
    <|sep|> b <|endoftext|>`, any text as its bytes (Radford et al. 2019). `unigram`: `a </s> b </s>`, unknown letters
    as bytes, 100 sentinels (Kudo 2018; Raffel et al. 2020).
    """
    kinds = {"wordpiece": _wordpiece, "bytebpe": _bytebpe, "unigram": _unigram}
    return kinds[spec.kind](spec, texts if isinstance(texts, Sequence) else list(texts), max_length)


def _wordpiece(spec: TokenizerSpec, texts: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    normalizer = normalizers.BertNormalizer(lowercase=spec.lowercase is not False)
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner: set[str] = set()
    remaining = iter(texts)
    while some := list(islice(remaining, AT_ONCE)):
        words = {word for text in some for word in normalizer.normalize_str(text).split()}
        inner.update(
            letter for word in words for piece, _ in pre_tokenizer.pre_tokenize_str(word) for letter in piece[1:]
        )
    continuations = sorted(f"{CONTINUED}{letter}" for letter in inner)

    draft = Tokenizer(models.WordPiece(unk_token=UNK))
    draft.normalizer, draft.pre_tokenizer = normalizer, pre_tokenizer
    size = max(spec.vocab_size, len(SPECIAL) + len(continuations))
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=[*SPECIAL, *continuations], show_progress=False)
    draft.train_from_iterator(texts, trainer)

    tokenizer = Tokenizer(models.WordPiece(draft.get_vocab(), unk_token=UNK))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    between_han = decoders.Replace(Regex(f"(?<={HAN}) (?={HAN})"), "")
    tokenizer.decoder = decoders.Sequence([decoders.WordPiece(), decoders.Fuse(), between_han])
    return _finished(
        tokenizer, max_length, SPECIAL, f"{CLS} $A {SEP}", f"{CLS} $A {SEP} $B:1 {SEP}:1",
        pad_token=PAD, unk_token=UNK, cls_token=CLS, sep_token=SEP, mask_token=MASK,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def _bytebpe(spec: TokenizerSpec, texts: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    special = (END_OF_TEXT, GPT_PAD, GPT_SEP)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=max(spec.vocab_size, len(special) + len(alphabet)),
        special_tokens=list(special),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _finished(
        tokenizer, max_length, special, f"$A {END_OF_TEXT}", f"$A {GPT_SEP} $B {END_OF_TEXT}",
        pad_token=GPT_PAD, eos_token=END_OF_TEXT, bos_token=END_OF_TEXT, sep_token=GPT_SEP,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def _unigram(spec: TokenizerSpec, texts: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    special = (T5_PAD, T5_END, T5_UNK)
    normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase()] if spec.lowercase is not False else []
    )
    pre_tokenizer = pre_tokenizers.Metaspace()
    draft = Tokenizer(models.Unigram())
    draft.normalizer, draft.pre_tokenizer = normalizer, pre_tokenizer
    reserved = len(special) + len(BYTES) + len(SENTINELS)
    letters = {letter for text in texts for letter in normalizer.normalize_str(text)}
    words = dict.fromkeys(f"{METASPACE}{normalizer.normalize_str(word)}" for word in spec.words)
    size = max(spec.vocab_size - reserved - len(words), 32, len(letters) + 1)
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=[], unk_token=None, show_progress=False)
    draft.train_from_iterator(texts, trainer)
    pieces = sorted(_settled(_pieces(draft)), key=lambda scored_piece: (-scored_piece[1], scored_piece[0]))
    known = {piece for piece, _ in pieces}
    pieces += [(word, pieces[0][1]) for word in words if word not in known]  # likelier than any parts of theirs
    vocabulary = [(token, 0.0) for token in (*special, *BYTES)] + pieces
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2, byte_fallback=True))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return _finished(
        tokenizer, max_length, (*special, *SENTINELS), f"$A {T5_END}", f"$A {T5_END} $B {T5_END}",
        pad_token=T5_PAD, eos_token=T5_END, unk_token=T5_UNK, extra_special_tokens=list(SENTINELS),
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def _settled(pieces: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The same pieces with scores that are the same in every process.

    The trainer gives letters that its vocabulary lacks the lowest score and one `STEP` more for each, in the order of a
    hash that is drawn anew in each process; here they have them in their own order.
    """
    rounded = [(piece, round(score, 4)) for piece, score in pieces]
    lowest, letters = min(score for _, score in rounded), [piece for piece, _ in rounded if len(piece) == 1]
    below = lowest + STEP * (len(letters) + 0.5)
    added = [(piece, score) for piece, score in rounded if len(piece) == 1 and score < below]
    scores = sorted((score for _, score in added), reverse=True)
    in_order = dict(zip(sorted(piece for piece, _ in added), scores, strict=True))
    return [(piece, in_order.get(piece, score)) for piece, score in rounded]


def _pieces(draft: Any) -> list[tuple[str, float]]:
    import json

    return [(piece, score) for piece, score in json.loads(draft.to_str())["model"]["vocab"]]


def _finished(
    tokenizer: Any, max_length: int, special: Iterable[str], single: str, pair: str, **roles: Any
) -> PreTrainedTokenizerFast:
    """With its special tokens, the layout of one text and of a pair, and their roles in `transformers`."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer.add_special_tokens(list(special))
    used = [token for token in special if token in single.split() + pair.replace(":1", "").split()]
    ids = [(token, tokenizer.token_to_id(token)) for token in used]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, **roles)
