"""A voice package of the form that Silero's have: torch.package with a TorchScript model and its own text processing.

It hums, longer for longer texts; what it refuses, it refuses as theirs does.
"""

from __future__ import annotations

import sys
import types
import warnings
from pathlib import Path

SOURCE = '''
import re
import xml.etree.ElementTree as ElementTree


class TTSModelMultiAcc_v3:
    """The class and the method have the names that Silero's have."""

    def __init__(self, model, speakers, alphabet):
        self.model = model
        self.speakers = list(speakers)
        self.alphabet = alphabet
        self.device = None

    def to(self, device):
        self.device = device

    def apply_tts(self, text=None, ssml_text=None, speaker="xenia", sample_rate=48000, put_accent=True, put_yo=True):
        assert sample_rate in [8000, 24000, 48000], "`sample_rate` should be in [8000, 24000, 48000]"
        assert speaker in self.speakers, f"`speaker` should be in {', '.join(self.speakers)}"
        rate = 1.0
        if ssml_text is not None:
            try:
                root = ElementTree.fromstring(ssml_text)
            except Exception:
                raise ValueError("Invalid XML format")
            prosody = root.find("prosody")
            rate = int(prosody.attrib["rate"].replace("%", "")) / 100
            text = "".join(root.itertext())
        said = re.sub(f"[^{self.alphabet} .,!?:;-]", "", text.lower())
        if not re.search(f"[{self.alphabet}]", said):
            raise ValueError
        if len(said) > 500:
            raise Exception("Model couldn't generate your text, probably it's too long")
        return self.model(len(said), sample_rate, rate, self.speakers.index(speaker))
'''

#: Seconds for each letter at speed 1.
LETTER_S = 0.07

ALPHABETS = {"ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя+", "en": "abcdefghijklmnopqrstuvwxyz'"}
SPEAKERS = {"ru": ("aidar", "baya", "kseniya", "eugene", "xenia"), "en": ("en_0", "en_1", "en_2")}


def make_package(path: Path, language: str) -> Path:
    """Write a package with the voices of a language."""
    import torch
    from torch.package import PackageExporter, package_exporter

    class Hum(torch.nn.Module):
        def forward(self, letters: int, sample_rate: int, rate: float, speaker: int) -> torch.Tensor:
            seconds = letters * 0.07 / rate
            at = torch.arange(int(seconds * sample_rate)) / sample_rate
            return 0.3 * torch.sin(6.2831853 * (110.0 + 20.0 * speaker) * at)

    module = types.ModuleType("multi_acc_v3_package")
    exec(compile(SOURCE, "multi_acc_v3_package.py", "exec"), module.__dict__)
    sys.modules[module.__name__] = module
    try:
        with warnings.catch_warnings():  # Silero's models are such scripts, deprecated or not
            warnings.simplefilter("ignore", DeprecationWarning)
            script = torch.jit.script(Hum())
        model = module.TTSModelMultiAcc_v3(script, SPEAKERS[language], ALPHABETS[language])
        path.parent.mkdir(parents=True, exist_ok=True)
        # Silero's packages hold scripts, which torch wants to be asked for by name
        package_exporter._gate_torchscript_serialization = False
        with PackageExporter(str(path)) as exporter:
            exporter.extern(["re", "xml.**", "torch.**"])
            exporter.save_source_string(module.__name__, SOURCE)
            exporter.save_pickle("tts_models", "model", model)
    finally:
        del sys.modules[module.__name__]
    return path
