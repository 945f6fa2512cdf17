"""The page's server over a session that a test decides: word by word, on scripted parts, or spoken to for real.

with scripted_page(tmp_path) as page:             # no pipeline: the test tells the notices
    page.hears("how do you make")
    page.asks(1, "How do you make money?")
    page.answers(1, "Subscriptions", "Support")
    page.speaks(1, 1)
    open_in_a_browser(page.link)
    assert page.wishes == [("next", None)]

with spoken_page(tmp_path) as page:               # the real pipeline, notes and voices, at the pace of time
    page.say("When do we launch?")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from sottovoce.app.inputs import MutedInput, StageInput
from sottovoce.app.monitor.look import Look
from sottovoce.app.settings import Config, NotesSettings, SessionSettings
from sottovoce.app.web.page import Page, Session
from sottovoce.app.web.server import Address, Door
from sottovoce.assistant import notices
from sottovoce.assistant.controls import Control, Mute
from sottovoce.assistant.messages import Outcome, SpeakerKind, Thesis, Utterance
from sottovoce.assistant.notices import Notice
from sottovoce.assistant.pipeline import Pipeline
from sottovoce.metrics.stages import Stage, TurnTimes

SOURCE = "Money (money.md)"

#: Moments of an answer that took half a second, in ms after the question's end.
MARKS_MS = {
    Stage.SPEECH_END: 0,
    Stage.SEGMENT_READY: 300,
    Stage.ASR_START: 310,
    Stage.ASR_DONE: 380,
    Stage.LLM_START: 382,
    Stage.LLM_FIRST_TOKEN: 390,
    Stage.FIRST_THESIS: 391,
    Stage.TTS_START: 392,
    Stage.TTS_FIRST_CHUNK: 430,
    Stage.FIRST_SAMPLE: 500,
}


@dataclass
class Wishes:
    """A wearer of whom is only noted what was asked for."""

    made: list[tuple[str, object]] = field(default_factory=list)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def control(self, control: Control, on: bool | None = None) -> None:
        self._note(control.value, on)

    def ask(self, text: str, language: str) -> None:
        self._note("ask", text)

    def wait_for(self, count: int) -> list[tuple[str, object]]:
        """The wishes, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.made) >= count, 10.0), self.made
            return list(self.made)

    def _note(self, action: str, value: object) -> None:
        with self._came:
            self.made.append((action, value))
            self._came.notify_all()


class WatchedPage:
    """A page that is served, and what a test needs of it."""

    def __init__(self, page: Page, link: str) -> None:
        self.page, self.link = page, link

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.link)
        return f"{parts.scheme}://{parts.netloc}"

    @contextmanager
    def client(self, **options: Any) -> Iterator[httpx2.Client]:
        """A client that has opened the link, and says where it comes from, as browsers do."""
        with httpx2.Client(base_url=self.origin, headers={"Origin": self.origin}, timeout=10.0, **options) as client:
            assert client.get(self.link).status_code == 303
            yield client

    def tell(self, *told: Notice) -> None:
        """Let something happen in the session."""
        for notice in told:
            self.page.board(notice)


class ScriptedPage(WatchedPage):
    """A page over no pipeline at all: what happens is what the test says."""

    def __init__(self, page: Page, link: str, wishes: Wishes) -> None:
        super().__init__(page, link)
        self._wishes = wishes
        self._theses: dict[tuple[int, int], Thesis] = {}

    @property
    def wishes(self) -> list[tuple[str, object]]:
        """What the page has asked for so far: the action, and its ``on`` or ``text``."""
        return list(self._wishes.made)

    def wait_for_wishes(self, count: int) -> list[tuple[str, object]]:
        """The same, once there are so many."""
        return self._wishes.wait_for(count)

    def hears(self, text: str) -> None:
        """Somebody has said so much so far."""
        self.tell(notices.SpeechBegan(0.0), notices.HeardSoFar(0.5, text))

    def foresees(self, generation: int, question: str, *texts: str, source: str = SOURCE) -> None:
        """The question would have these theses, if it were over."""
        self.tell(notices.Speculated(utterance(generation, question), generation, early=True))
        for number, text in enumerate(texts, 1):
            self.tell(notices.ThesisForeseen(Thesis(generation, number, text, source)))

    def asks(self, generation: int, question: str, speaker: SpeakerKind = "other") -> None:
        """A question was asked; with a negative generation's number it would be one that was typed."""
        self.tell(
            notices.SpeechEnded(2.0), notices.UtteranceHeard(utterance(generation, question, speaker), generation, "")
        )

    def answers(self, generation: int, *texts: str, source: str = SOURCE) -> None:
        """Theses are there."""
        for number, text in enumerate(texts, 1):
            self._theses[generation, number] = thesis = Thesis(generation, number, text, source)
            self.tell(notices.ThesisAdded(thesis))

    def speaks(self, generation: int, number: int) -> None:
        """A thesis begins to sound."""
        self.tell(notices.ThesisStarted(self._theses[generation, number], 500_000_000))

    def spoke(self, generation: int, number: int) -> None:
        """A thesis was heard to its end."""
        self.tell(notices.ThesisSpoken(self._theses[generation, number], 0.0, 1.5))

    def ends(self, generation: int, outcome: Outcome = "spoken", detail: str = "") -> None:
        """A turn is over, and took half a second."""
        marks_ns = {stage: ms * 1_000_000 for stage, ms in MARKS_MS.items()}
        self.tell(notices.TurnEnded(generation, outcome, detail, TurnTimes(generation, marks_ns)))


class SpokenPage(WatchedPage):
    """A page over the real pipeline, in a room where the test speaks."""

    def __init__(self, page: Page, link: str, stage: StageInput, pipeline: Pipeline) -> None:
        super().__init__(page, link)
        self._stage, self.pipeline = stage, pipeline

    def say(self, text: str) -> None:
        """Say something aloud, from now on."""
        from sottovoce.app.demo import speak_question

        self._stage.say(speak_question(text))


def utterance(number: int, text: str, speaker: SpeakerKind = "other") -> Utterance:
    """What somebody has said."""
    marks = tuple((stage, ms * 1_000_000) for stage, ms in MARKS_MS.items() if ms < 382)
    return Utterance(number, speaker, text, "en", 0.9, 0.0, 2.0, marks, "pocketsphinx")


def config_in(folder: Path, **sections: Any) -> Config:
    """The default settings, with the database of sessions in ``folder``."""
    return Config(session=SessionSettings(path=folder / "sessions.db"), **sections)


@contextmanager
def scripted_page(
    folder: Path,
    *,
    config: Config | None = None,
    look: Callable[[], Look] | None = None,
    address: Address | None = None,
    **facts: Any,
) -> Iterator[ScriptedPage]:
    """A page over a session that the test tells; ``facts`` are fields of :class:`Session`."""
    wishes = Wishes()
    with Door(address or Address()) as door:
        page = Page(Session(config or config_in(folder), look=look, **facts), door)
        with page.serve(wishes) as link:
            yield ScriptedPage(page, link, wishes)


@contextmanager
def spoken_page(folder: Path, *, config: Config | None = None) -> Iterator[SpokenPage]:
    """A page over the real pipeline with the offline parts and the demo's notes; what it says goes to a file."""
    from sottovoce.app.demo import RATE, SAMPLE_NOTES
    from sottovoce.app.prices import read_prices
    from sottovoce.app.purse import Purse
    from sottovoce.app.sessions import limits_of
    from sottovoce.app.wiring import EAR_SAMPLERATE, make_pipeline, open_backends, open_voice
    from sottovoce.audio.player import Player
    from sottovoce.audio.wav import WavOutput

    config = config or config_in(folder, notes=NotesSettings(path=SAMPLE_NOTES))
    with ExitStack() as stack:
        door = stack.enter_context(Door(Address()))
        backends = stack.enter_context(closing(open_backends(config, lambda what: None)))
        player = stack.enter_context(Player(RATE, 1, output=WavOutput(folder / "heard.wav", paced=True)))
        voice = stack.enter_context(closing(open_voice(config, player, backends.synthesizer.samplerate)))
        stage, mute = StageInput(EAR_SAMPLERATE), Mute()
        page = Page(Session(config, look=lambda: Look(0, player.snapshot_state())), door)
        purse = Purse(read_prices(), limits_of(config))
        pipeline = make_pipeline(
            config,
            backends,
            MutedInput(stage, mute),
            voice,
            [page.board],
            lossless=False,
            purse=purse,
            mute=mute,
        )
        link = stack.enter_context(page.serve(pipeline))
        pipeline.start()
        stack.callback(pipeline.close, 5.0)
        yield SpokenPage(page, link, stage, pipeline)


class EventReader:
    """Reads ``/api/events`` in a thread of its own, and keeps every section that came."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._came = threading.Condition()
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="event-reader")
        self._thread.start()

    def wait_for(self, section: str, wanted: Any = lambda value: True) -> dict[str, Any]:
        """The first version of a section, of those so far and to come, of which ``wanted`` is true."""
        with self._came:
            found: list[dict[str, Any]] = []

            def come() -> bool:
                found[:] = [value for name, value in self.events if name == section and wanted(value)]
                return bool(found) or self.ended.is_set()

            self._came.wait_for(come, 10.0)
            assert found, [value for name, value in self.events if name == section][-2:]
            return found[0]

    def join(self) -> None:
        """Wait until the server has ended the stream."""
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        import json

        name = ""
        try:
            with self._client.stream("GET", "/api/events", timeout=30.0) as response:
                for line in response.iter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        with self._came:
                            self.events.append((name, json.loads(line.removeprefix("data: "))))
                            self._came.notify_all()
        except httpx2.HTTPError:  # the server has gone
            pass
        finally:
            with self._came:
                self.ended.set()
                self._came.notify_all()
