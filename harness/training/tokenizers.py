"""Tokenizers trained on a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.specs import TokenizerSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
CONTINUED = "##"


def train(spec: TokenizerSpec, texts: Iterable[str], max_length: int) -> PreTrainedTokenizerFast:
    """A BERT tokenizer (WordPiece; `[CLS] a [SEP] b [SEP]`, segment ids) with at most `spec.vocab_size` entries, or
    one a letter where that is more.

    The same texts give the same tokenizer, in any process.

    Source: Wu et al. 2016 (WordPiece); Devlin et al. 2019 (the input layout).
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.BertNormalizer(lowercase=spec.lowercase)
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = list(texts)
    words = {word for text in texts for word in normalizer.normalize_str(text).split()}
    pieces = (piece for word in words for piece, _ in pre_tokenizer.pre_tokenize_str(word))
    continuations = sorted({f"{CONTINUED}{letter}" for piece in pieces for letter in piece[1:]})

    # The trainer breaks ties between merges by ids, and numbers continuations in the order of a randomly seeded hash
    # table: another vocabulary in every process. Given beforehand, as if they were special, they have their ids.
    draft = Tokenizer(models.WordPiece(unk_token=UNK))
    draft.normalizer, draft.pre_tokenizer = normalizer, pre_tokenizer
    size = max(spec.vocab_size, len(SPECIAL) + len(continuations))
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=[*SPECIAL, *continuations], show_progress=False)
    draft.train_from_iterator(texts, trainer)

    tokenizer = Tokenizer(models.WordPiece(draft.get_vocab(), unk_token=UNK))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL))
    cls, sep = tokenizer.token_to_id(CLS), tokenizer.token_to_id(SEP)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}", pair=f"{CLS} $A {SEP} $B:1 {SEP}:1", special_tokens=[(CLS, cls), (SEP, sep)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNK,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
