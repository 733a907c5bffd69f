"""A tokenizer in CLIP's layout, trained on the captions of a study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_MAX_ENTRIES = 4096


def train_tokenizer(captions: Iterable[str], length: int) -> CLIPTokenizer:
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016) that knows each word of the captions as one token.

    The entries are, as in CLIP's vocabulary, the 256 bytes, the same at the end of a word, the merges, and the two special
    tokens; so every text can be encoded.

    Args:
        captions: the texts.
        length: tokens of a prompt, with those of start and end; shorter ones are padded.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=_WORD_END))
    tokenizer.normalizer = CLIPTokenizer().backend_tokenizer.normalizer
    tokenizer.pre_tokenizer = CLIPTokenizer().backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=_MAX_ENTRIES, initial_alphabet=alphabet, end_of_word_suffix=_WORD_END, show_progress=False
    )
    tokenizer.train_from_iterator(captions, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    entries = [*alphabet, *(letter + _WORD_END for letter in alphabet), *map("".join, merges), START, END]
    vocabulary = {entry: number for number, entry in enumerate(dict.fromkeys(entries))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)
