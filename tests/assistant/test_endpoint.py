"""Which transcripts read like whole questions, in both languages, with and without punctuation."""

from __future__ import annotations

import pytest

from sottovoce.assistant.endpoint import reads_finished

FINISHED = {
    "en": [
        "what is the budget for next year",
        "What is the budget for next year?",
        "how do we restore a backup",
        "when does the project ship",
        "who approved the new design",
        "tell me about the release plan",
        "so what are the main risks",
        "is the office open on Friday",
        "do you ship to Canada",
        "which database do you use",
        "what is this button for",
        "why did the build fail",
        "in which city was he born",
        "really?",
    ],
    "ru": [
        "какой бюджет на следующий год",
        "когда выйдет новая версия",
        "кто утвердил проект",
        "расскажите про план выпуска",
        "ну и сколько это стоит",
        "есть ли у вас доставка",
        "почему упала сборка",
        "Где находится офис?",
        "работает ли офис в пятницу",
        "в каком году он родился",
    ],
    "de": ["Wie hoch ist das Budget?"],
}

UNFINISHED = {
    "en": [
        "",
        "um",
        "what",
        "what is",
        "what is the",
        "how do you",
        "how do we restore the backup and",
        "what is the budget for the",
        "tell me about",
        "can you tell me",
        "why did the build fail because",
        "what do you think of the,",
        "what are the main risks if we",
        "the budget is four million",
        "I think we should ship in June",
        "what is your...",
        "what about the?",
        "which database do you",
        "where can we",
    ],
    "ru": [
        "",
        "ну",
        "какой",
        "что такое",
        "расскажите про",
        "какой бюджет на",
        "когда выйдет новая версия и",
        "скажите пожалуйста",
        "бюджет четыре миллиона",
        "почему сборка упала если",
        "сколько стоит ваш",
    ],
    "de": ["Wie hoch ist das Budget", "Wie hoch ist …"],
}


@pytest.mark.parametrize(("language", "text"), [(lang, text) for lang, texts in FINISHED.items() for text in texts])
def test_whole_question_reads_finished(language: str, text: str) -> None:
    assert reads_finished(text, language)


@pytest.mark.parametrize(("language", "text"), [(lang, text) for lang, texts in UNFINISHED.items() for text in texts])
def test_what_something_follows_does_not_read_finished(language: str, text: str) -> None:
    assert not reads_finished(text, language)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_beginnings_of_a_question_seldom_read_finished(language: str) -> None:
    """Cut after any word but the last, a question is to be waited for; "is the office open" is one of its own, too."""
    cut, finished = 0, 0
    for text in FINISHED[language]:
        words = text.rstrip("?").split()
        for length in range(1, len(words)):
            cut += 1
            finished += reads_finished(" ".join(words[:length]), language)
    assert finished / cut < 0.35, f"{finished} of {cut}"
