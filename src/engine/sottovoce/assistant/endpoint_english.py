"""What a whole question is in English: rules of thumb, without a lexicon.

English has a fixed order of words, so that much can be told without knowing them: what a helping verb begins has a
subject and then a verb ("what does | the second floor | cost"), and a noun comes after "the second". What cannot be
told is whether a noun is all ("the release", "the release plan"), or whether a phrase follows what could be the end.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BE = _words("am is are was were isn't aren't wasn't weren't what's who's where's how's when's that's")
_HELPERS = _words(
    """do does did have has had can could will would shall should may might must don't doesn't didn't haven't hasn't
    hadn't can't couldn't won't wouldn't shouldn't"""
)
_AUXILIARIES = _BE | _HELPERS
_DO = _words("do does did don't doesn't didn't")

_ASKING = _words("what what's who who's whom whose which when when's where where's why how how's")
_REQUESTS = _words("tell explain describe give name list show say summarize summarise compare define")
_OPENERS = _ASKING | _REQUESTS | _AUXILIARIES

#: May stand before the opener.
_LEADS = _words(
    """and so but or then now well okay ok right please hey hi hello sorry excuse me um uh er erm yeah yes no also maybe
    in at on for with to by of from about the first second last next"""
)

_PRONOUNS = _words(
    """i you he she it we they this that these those there one everybody everyone anybody anyone somebody someone
    people"""
)
_DETERMINERS = _words(
    """a an the my your his her its our their this that these those some any every each another which what whose no
    all both"""
)

#: Words of a question that are not its object.
_BRIDGES = _PRONOUNS | _words(
    """me us him her them the a an my your his its our their about please just really actually exactly long many much
    often far old kind sort of to be been being"""
)

#: Something follows them, but where :func:`_may_strand`.
_HANGING = _words(
    """a an the my your his her its our their this these those and or but nor so because if unless until while
    although though since than as whether that which who whom whose of to in on at by for from with without into
    onto about between among through during before after under over against toward towards per via like near across
    behind beyond inside outside along upon except regarding very quite too more most less is are was were am be
    been being do does did have has had can could will would shall should may might must not um uh er erm hmm mm i
    we they he she who's what's let's i'm we're you're they're i've we've you've it's that's there's some any every
    each another such what why how when where just only ever never always also even still already currently usually
    going able supposed allowed trying willing likely become becomes became it"""
)

#: A noun comes after them if "the" or the like stands before.
_MODIFIERS = _words(
    """first second third fourth fifth sixth seventh eighth ninth tenth next last previous current following final
    latest early late earlier later one two three four five six seven eight nine ten twenty hundred thousand
    million new newer newest old older oldest big bigger biggest small smaller smallest large larger largest little
    long longer longest short shorter shortest high higher highest low lower lowest good better best bad worse
    worst main major minor same other own only whole entire total average annual monthly weekly daily yearly public
    private real right wrong great greater greatest special general national international local young younger
    youngest tall tallest cheap cheapest fast faster fastest slow slowest easiest hardest strongest richest nearest
    closest deepest heaviest common popular important different famous expensive difficult original official former
    key certain various several many few"""
)

#: Wait for an "of", a "between" or the like, if "the" or "a" stands before.
_RELATIONAL = _words("difference differences number amount lot pair couple kind sort rest majority part chance name")

#: Verbs that are nothing without an object, which a question may have at its beginning.
_TRANSITIVE = _words(
    """have see seen make made use used get got give given gave take took taken keep kept find found choose chose
    chosen buy bought need want put set bring brought hear lose lost include contain mean say said tell told call
    called know believe expect recommend suggest prefer cause require mention reach avoid replace affect handle
    manage"""
)

#: What these ask for may be the object of a verb or a preposition at the end.
_OBJECTS = _words("what what's who who's whom which whose where")

_SUBORDINATING = _words("what how why when where which whether if who because until unless while")

#: Prepositions that a question may end in, if they belong to its verb.
_STRANDING = _words("for to in on at by from with about of like into over through")


def hangs(words: list[str]) -> bool:
    """Whether something follows the last word."""
    return (words[-1] in _HANGING and not _may_strand(words)) or words[-1].endswith("'s") or _awaits_noun(words)


def is_whole(words: list[str]) -> bool:
    """Whether they are a question, or a request to tell something, to its end."""
    at = _opener(words)
    if at is None or hangs(words):
        return False
    head, rest = words[at], words[at + 1 :]
    if not _content(rest) and not _asks_of_it(head, rest) and rest[-1:] != ["do"]:
        return False
    clause = _last_clause(rest)
    if clause is not None and not _is_statement(clause):
        return False
    if (
        clause is None
        and rest[-1] in _TRANSITIVE
        and head not in _OBJECTS
        and "many" not in rest
        and "much" not in rest
    ):
        return False
    if head in _REQUESTS:
        return True
    if head in _ASKING:
        return _asks(head, rest)
    return _predicated(rest, least=2) or (head in _BE and rest[0] == "there")


def _opener(words: list[str]) -> int | None:
    """Where the word is that makes it a question."""
    for at, word in enumerate(words):
        if word in _OPENERS:
            return at
        if word not in _LEADS:
            return None
    return None


def _asks(head: str, rest: list[str]) -> bool:
    """Whether a question of what, who, how ... has what it needs."""
    at = next((at for at, word in enumerate(rest) if word in _AUXILIARIES), None)
    if head in _BE or (at is not None and rest[at] in _BE):
        return bool(_content(rest)) or _asks_of_it(head, rest)
    if at is not None:
        before, after = rest[:at], rest[at + 1 :]
        if rest[at] not in _DO and not _inverts(after) and (before or head in ("what", "who")):
            return bool(_content(after))  # "what has changed", "which bus will stop here"
        return _predicated(after, least=2)
    if head == "who" or rest[0] == "about":
        return True
    return len(_content(rest)) >= 2


def _inverts(words: list[str]) -> bool:
    """Whether a subject stands at the beginning."""
    return bool(words) and (words[0] in _PRONOUNS or words[0] in _DETERMINERS)


def _asks_of_it(head: str, rest: list[str]) -> bool:
    """As in "how far is it", "how much is that", "where exactly are you"."""
    return len(rest) >= 3 and head in _ASKING and rest[-2] in _BE and rest[-1] in ("it", "you", "they", "there")


def _predicated(words: list[str], *, least: int) -> bool:
    """Whether there is something beyond a subject: ``least`` of what is said, the subject among it."""
    if not words:
        return False
    if words[0] in _PRONOUNS:
        return bool(_content(words[1:])) or words[-1] == "do"
    at = 0
    while at < len(words) and (words[at] in _DETERMINERS or words[at] in _MODIFIERS):
        at += 1
    said = len(_content(words[at:]))
    if at + 2 < len(words) and words[at + 1] == "of":  # "the president of France" is one subject
        said -= 1
    return said >= least or (said == least - 1 and words[-1] == "do")


def _last_clause(rest: list[str]) -> list[str] | None:
    """What a "what", "how", "if" ... within the question begins; None if there is none."""
    for at in range(len(rest) - 1, -1, -1):
        if rest[at] in _SUBORDINATING and not (rest[at] in ("which", "what") and at > 0 and rest[at - 1] in _STRANDING):
            return rest[at + 1 :]
    return None


def _is_statement(clause: list[str]) -> bool:
    """Whether it has a subject and a verb: "the office is", "it costs", "to get there"."""
    if clause and clause[0] == "to":
        return bool(_content(clause[1:]))
    verbs = sum(word in _AUXILIARIES for word in clause)
    subjects = bool(clause) and clause[0] in _PRONOUNS
    return len(_content(clause)) + verbs + subjects >= 2


def _content(words: list[str]) -> list[str]:
    return [word for word in words if word not in _BRIDGES and word not in _OPENERS]


def _awaits_noun(words: list[str]) -> bool:
    """Whether it ends as "the second", "a new" or "the difference" do."""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _RELATIONAL:
        return before in ("the", "a")
    if last not in _MODIFIERS:
        return False
    if len(words) > 2 and words[-3] in _BE and words[0] in ("which", "who", "whose"):  # "which one is the best"
        return False
    determined = words[-3] if before in _MODIFIERS and len(words) > 2 else before
    return determined in _DETERMINERS or determined.endswith("'s")


def _may_strand(words: list[str]) -> bool:
    """Whether the last word, which something follows as a rule, may end this question."""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    at = _opener(words)
    if at is None or len(words) < 3:
        return False
    if last == "it":  # "why did you do it", "what time is it"; not "what does it", "why is it"
        return before not in _HELPERS and (before not in _BE or _asks_of_it(words[at], words[at + 1 :]))
    if last == "do":  # "what should we do"; not "how many people do"
        return any(word in _HELPERS for word in words[at:-1])
    if last in _BE:  # "do you know where the office is"; not "what time is"
        clause = _last_clause(words[at + 1 : -1])
        return clause is not None and (bool(_content(clause)) or clause[-1:] in (["it"], ["that"], ["this"]))
    if last not in _STRANDING or words[at] not in _OBJECTS:
        return False
    verb = next((place for place in range(at, len(words)) if words[place] in _AUXILIARIES), None)
    if verb is None or verb + 1 >= len(words) - 1:
        return False
    # "what is it for", "who did you talk to", "what city is the office in"; not "what is the budget for"
    return words[verb + 1] in _PRONOUNS or verb > at + 1
