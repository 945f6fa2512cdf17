from typing import Self, final

@final
class MixerCore:
    """The engine's end of a mixer, which the mixer and its sources share; nothing in it is for Python."""

    def __new__(cls, samplerate: int, channels: int, undriven_ns: int) -> Self: ...
