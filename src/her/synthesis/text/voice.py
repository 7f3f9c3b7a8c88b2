"""Voice: in whose person a thought speaks, and whether an action names who acts. English and Chinese.

Owns pronouns. The rules name only what is certain without knowing who a pronoun means: an actor's pronoun is found
where a clause begins with it, in reflexives, and in gestures that are made with one's own body ("nods his head");
elsewhere it may mean somebody else, and passes. Words in quotation marks are nobody's voice. A text in any other
language is not judged.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Sequence

from her.synthesis.text.language import Language
from her.synthesis.text.wording import words

SINGULAR = frozenset(("i", "i'm", "i've", "i'll", "i'd", "me", "my", "mine", "myself"))
FIRST = SINGULAR | {"we", "us", "our", "ours", "we're", "we'll", "we've", "we'd"}
THIRD = frozenset(("he", "she", "they", "him", "her", "his", "their", "them"))
_SECOND = frozenset(("you", "your", "yours", "yourself", "you're", "you'll", "you've"))
FIRST_ZH = re.compile("[我咱俺吾朕]|本王|本宫|本座|在下|老夫|老身|奴婢|奴家|臣妾|鄙人|贫道|贫僧|洒家|微臣|属下")
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』|«[^»]*»|(?<!\w)‘[^’]*’(?!\w)")

_STATES = (
    "is|was|has|had|feels?|felt|thinks?|thought|wants?|wanted|knows?|knew|must|should|will|would|could|can|needs?|"
    "hopes?|hoped|fears?|feared|wonders?|wondered|decides?|decided|tries|tried|realizes?|realized|remembers?|remembered"
)
_STATES_ZH = "心[想中里]|想|觉得|感到|认为|知道|明白|暗[想自道]|不禁|意识到|决定|希望|害怕|担心|是|在|的[内心脑]"
_LONG_EN, _LONG_ZH = 9, 16
"""From so many words, or characters, on a thought without a first person is a report. Shorter ones are sighs."""

_SUBJECT = re.compile(r"^(?:his|her|their) \w|(?:^|[,;.] ?|\b(?:and|then) )(?:\w+ly )?(?:he|she|they) \w")
_REFLEXIVE = re.compile(r"\b(?:himself|herself|themself|myself|oneself)\b")
_GESTURE = re.compile(
    r"\b(?:"
    r"(?:nod|shak|tilt|bow|duck|cock|hang|drop|lower|rais|lift|turn)\w* (?:his|her|their) head"
    r"|(?:fold|cross|uncross|spread)\w* (?:his|her|their) arms"
    r"|clear\w* (?:his|her|their) throat"
    r"|(?:clos|narrow|roll|widen|squint|avert|lower|rub)\w* (?:his|her|their) (?:eyes|gaze)"
    r"|(?:shrug|square|squar|hunch)\w* (?:his|her|their) shoulders"
    r"|(?:bit|purs|lick|press)\w* (?:his|her|their) (?:lips?|lip together)"
    r"|(?:clench|unclench|grit|gnash|set)\w* (?:his|her|their) (?:fists?|jaw|teeth)"
    r"|(?:furrow|knit|wip|mop|rais)\w* (?:his|her|their) (?:brows?|eyebrows?)"
    r"|(?:hold|held|catch|caught)\w* (?:his|her|their) breath"
    r")\b"
)
_SAID = re.compile(r"[\"“”「」『』]|\b(?:says?|said|asks?|asked|thinks?|thinking|replies|replied)\b")
_SUBJECT_ZH = re.compile("(?:^|[，。；！？])(?:他们|她们|他|她|它)")
_REFLEXIVE_ZH = re.compile("[他她]自己")
_SAID_ZH = re.compile('[“”「」『』"]|[说问答喊叫]道|[说问][:：]|心想|暗想|觉得')


def thought_fault(text: str, *, forms: Sequence[str], language: Language) -> str | None:
    """`third_person` or `not_first_person`; None for a thought in the voice of its thinker. `forms`: its names."""
    if language == "other":
        return None
    bare = unquoted(text)
    called = _any(forms)
    if language == "zh":
        if re.search(rf"(?:{called})(?:{_STATES_ZH})", bare) or re.match(
            "[他她][^，。]{0,6}(?:心想|暗想|觉得|感到)", bare
        ):
            return "third_person"
        long = len(words(bare)) >= _LONG_ZH
        return "not_first_person" if long and not FIRST_ZH.search(bare) else None
    if re.match(rf"(?:{called})\b(?![,!?.…])", bare) or re.search(rf"\b(?:{called})(?:'s|’s)? (?:{_STATES})\b", bare):
        return "third_person"
    said = words(bare)
    return "not_first_person" if len(said) >= _LONG_EN and not set(said) & FIRST else None


def action_fault(text: str, *, forms: Sequence[str], language: Language) -> str | None:
    """`names_actor` or `speech_in_action`; None for what is done without who does it."""
    if language == "other":
        return None
    if language == "zh":
        if _SAID_ZH.search(text):
            return "speech_in_action"
        named = re.search(_any(forms), text) or FIRST_ZH.search(text)
        return "names_actor" if named or _SUBJECT_ZH.search(text) or _REFLEXIVE_ZH.search(text) else None
    if _SAID.search(text):
        return "speech_in_action"
    lower = text.lower()
    by_name = bool(re.search(rf"\b(?:{_any(forms)})\b", text) or set(words(text)) & FIRST)
    pronoun = _SUBJECT.search(lower) or _REFLEXIVE.search(lower) or _GESTURE.search(lower)
    return "names_actor" if by_name or pronoun else None


def plan_fault(text: str, *, forms: Sequence[str], language: Language) -> str | None:
    """`not_third_person` for a plan that speaks as the character or to somebody; `not_about_character` for one that
    never names it. First person in quotation marks is a draft of the reply, and is fine."""
    bare = unquoted(text)
    if language == "zh" and (FIRST_ZH.search(bare) or re.search("[你您]", bare)):
        return "not_third_person"
    if language == "en" and set(words(bare)) & (SINGULAR | _SECOND):
        return "not_third_person"
    edge = "" if language == "zh" else r"\b"
    return None if re.search(rf"{edge}(?:{_any(forms)}){edge}", text) else "not_about_character"


def unquoted(text: str) -> str:
    """The text without what stands in quotation marks."""
    return _QUOTED.sub(" ", text)


def _any(forms: Sequence[str]) -> str:
    return "|".join(re.escape(f) for f in sorted(forms, key=len, reverse=True))
