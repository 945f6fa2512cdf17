"""Tiny Whisper models in CTranslate2's format, made in a moment: one that hears a phrase in speech, one of noise.

The first is put together by hand, so that the real library runs from the samples to the text. Its encoder measures how
much the sound's low bands lie above its high ones, as in a voice and not in noise; its decoder says one word
after the other of what it was made for, or the end of the text at once where there was no voice. The second is random.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

MELS, WIDTH, FRAMES, TOKENS = 80, 32, 1500, 448

#: A model of several languages is known by the number of its tokens.
LEAST_VOCABULARY = 51_865

SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|ru|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip
TIMESTAMPS = tuple(f"<|{step * 0.02:.2f}|>" for step in range(1501))

# Dimensions of the decoder: one says how much voice there was, one each which word was the last
_VOICE, _FIRST = 0, 1
# How strongly the last word calls for the next one
_CALL = 200.0


def make_model(folder: Path, phrase: str) -> Path:
    """A model that hears ``phrase`` wherever there is a voice, and nothing in noise."""
    words = [word if number == 0 else f" {word}" for number, word in enumerate(phrase.split())]
    vocabulary = _vocabulary(words)
    spec = _spec(np.random.default_rng(0), scale=0.0)
    _hear_voices(spec)
    chain = ["<|notimestamps|>", *map(_bytes_of, words), "<|endoftext|>"]
    assert len(chain) + 1 < WIDTH
    embeddings = np.zeros((len(vocabulary), WIDTH), np.float32)
    projection = np.zeros((len(vocabulary), WIDTH), np.float32)
    for number, (token, following) in enumerate(pairwise(chain)):
        embeddings[vocabulary[token], _FIRST + number] = 5.0
        projection[vocabulary[following], _FIRST + number] = _CALL
    end = vocabulary["<|endoftext|>"]
    projection[end, _FIRST] = 2 * _CALL
    projection[end, _VOICE] = -_CALL
    projection[end, _FIRST + len(chain) - 2] = 40 * _CALL  # after the last word it ends, however much voice there was
    spec.decoder.embeddings.weight = embeddings
    spec.decoder.projection.weight = projection
    return _save(spec, vocabulary, folder)


def make_random_model(folder: Path, rng: np.random.Generator) -> Path:
    """A model that has learnt nothing, and says anything."""
    vocabulary = _vocabulary([])
    spec = _spec(rng, scale=0.3)
    for part in (spec.decoder.embeddings, spec.decoder.projection):
        part.weight = rng.standard_normal((len(vocabulary), WIDTH)).astype(np.float32)
    return _save(spec, vocabulary, folder)


def _hear_voices(spec: Any) -> None:
    """Carry to the decoder how much voice there is: the difference of low and high bands, where it is above a limit."""
    low, high = slice(4, 24), slice(50, 74)
    conv1, conv2 = spec.encoder.conv1, spec.encoder.conv2
    conv1.weight[0, low, 1], conv1.weight[0, high, 1] = 1.0, -20 / 24
    conv1.weight[0] *= 0.5
    conv1.bias[0], conv1.bias[1] = -2.0, 5.0
    conv2.weight[0, 0, 1] = conv2.weight[1, 1, 1] = 1.0
    attention = spec.decoder.layer[0].attention
    attention.linear[1].weight[WIDTH, 0] = 1.0  # the value of dimension 0; keys stay equal, so it is a mean over time
    attention.linear[1].bias[WIDTH] = 0.165
    attention.linear[2].weight[_VOICE, 0] = 300.0


def _spec(rng: np.random.Generator, scale: float) -> Any:
    import ctranslate2

    def random(*shape: int) -> Any:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    def linear(part: Any, into: int, out: int) -> None:
        part.weight, part.bias = random(into, out), random(into)

    def norm(part: Any) -> None:
        part.gamma, part.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    spec = ctranslate2.specs.WhisperSpec(1, 2, 1, 2)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = random(WIDTH, MELS, 3), random(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = random(WIDTH, WIDTH, 3), random(WIDTH)
    encoder.position_encodings.encodings = random(FRAMES, WIDTH)
    decoder.position_encodings.encodings = random(TOKENS, WIDTH)
    for part in (encoder, decoder):
        norm(part.layer_norm)
        layer = part.layer[0]
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * WIDTH, WIDTH)
        linear(layer.self_attention.linear[1], WIDTH, WIDTH)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * WIDTH, WIDTH)
        linear(layer.ffn.linear_1, WIDTH, 4 * WIDTH)
    crossing = decoder.layer[0].attention
    norm(crossing.layer_norm)
    linear(crossing.linear[0], WIDTH, WIDTH)
    linear(crossing.linear[1], 2 * WIDTH, WIDTH)
    linear(crossing.linear[2], WIDTH, WIDTH)
    return spec


def _vocabulary(words: list[str]) -> dict[str, int]:
    """Bytes, the words, as many more as are lacking, then what is no text."""
    from tokenizers.pre_tokenizers import ByteLevel

    texts = [*sorted(ByteLevel.alphabet()), *map(_bytes_of, words)]
    fill = LEAST_VOCABULARY - len(texts) - len(SPECIAL) - len(TIMESTAMPS)
    tokens = [*texts, *(f"unused{number}" for number in range(fill)), *SPECIAL, *TIMESTAMPS]
    return {token: number for number, token in enumerate(tokens)}


def _bytes_of(word: str) -> str:
    """A word as a tokenizer of bytes writes it."""
    from tokenizers.pre_tokenizers import ByteLevel

    return "".join(piece for piece, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(word))


def _save(spec: Any, vocabulary: dict[str, int], folder: Path) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    spec.register_vocabulary(list(vocabulary))
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [vocabulary["<|en|>"], vocabulary["<|ru|>"]]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(str(folder))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*SPECIAL, *TIMESTAMPS])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS}), encoding="utf-8")
    return folder
