"""What the threads that work for one turn share."""

from __future__ import annotations

from dataclasses import dataclass, field

from sottovoce.core.cancel import CancelToken


@dataclass(slots=True, eq=False)
class TurnToken:
    """The generation of a turn and its cancellation.

    Attributes
    ----------
    generation : int
        Of the turn.
    language : str
        In which the turn is spoken.
    cancel : CancelToken
        Cancelled when the turn is given up.
    output_generation : int or None
        Generation of the voice output that the turn is spoken in; None until it has begun. Guarded by the narrator.
    heard_s : float
        Set when the turn is cut: seconds of its speech that had been played.
    """

    generation: int
    language: str
    cancel: CancelToken = field(default_factory=CancelToken)
    output_generation: int | None = None
    heard_s: float = 0.0
