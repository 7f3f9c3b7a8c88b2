"""Chinese names: who speaks in a text whose words stand without spaces between them.

Owns one rule, the only one that holds without a dictionary: what opens a clause that ends in a verb of speech before a
colon or a quotation mark is a name, where it does so at least twice. Longer readings win where they are as frequent.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_HAN = "一-鿿"
_SAID = re.compile(rf"(?:^|[\s，。！？；：”」』])([{_HAN}]{{2,4}})[{_HAN}]{{0,6}}?(?:说|道|问|答|喊|叫|笑)[：:，,“「]")
_SAID_SHORT = re.compile(
    rf"(?:^|[\s，。！？；：”」』])([{_HAN}]{{2,4}}?)(?:说道|问道|答道|笑道|喊道|说|道|问)[：:，,。“「]"
)
_SPEAKS = re.compile(rf"[{_HAN}][{_HAN}，]{{0,12}}[说道问答喊叫][：:，,。]?$|^[{_HAN}][{_HAN}]{{0,12}}[说道问答喊叫]")
_NOT_NAMES = frozenset(
    [
        "他们",
        "她们",
        "我们",
        "你们",
        "大家",
        "众人",
        "有人",
        "没人",
        "老师",
        "于是",
        "然后",
        "忽然",
        "突然",
        "只是",
        "这时",
    ]
)
_PRONOUNS = "他她我你它这那谁"
_HAN_CHAR = re.compile(f"[{_HAN}]")


def speakers(text: str) -> Counter[str]:
    """Names beside verbs of speech, with counts; those met once are left out."""
    if not _HAN_CHAR.search(text):
        return Counter()
    prefixes: Counter[str] = Counter()
    for match in _SAID.finditer(text):
        prefixes.update(match[1][:n] for n in range(2, len(match[1]) + 1))
    exact = Counter(match[1] for match in _SAID_SHORT.finditer(text))
    found = Counter({name: n for name, n in (prefixes | exact).items() if n >= 2 and _plausible(name)})
    # `小明` and `小明笑`: the longer one is a name only where the shorter one hardly stands without it.
    longer = {a for a in found for b in found if b != a and b.startswith(a) and found[b] >= 0.9 * found[a]}
    tails = {b for a in found for b in found if b != a and b.startswith(a) and found[b] < 0.9 * found[a]}
    return Counter({name: n for name, n in found.items() if name not in longer | tails})


def speaks(stretch: str) -> bool:
    """Does a stretch of Chinese narration beside a quotation say that somebody speaks?"""
    return bool(_SPEAKS.search(stretch))


def _plausible(name: str) -> bool:
    return name[0] not in _PRONOUNS and name not in _NOT_NAMES and name[-1] not in "说道问答喊叫笑着"


def mentions(text: str, forms: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Where the given Chinese forms stand in `text`; the longest one at each place."""
    if not _HAN_CHAR.search(text):
        return
    wanted = sorted((f for f in forms if _HAN_CHAR.match(f)), key=len, reverse=True)
    if not wanted:
        return
    for match in re.finditer("|".join(map(re.escape, wanted)), text):
        yield match.start(), match.group()
