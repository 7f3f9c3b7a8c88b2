"""Roots: words without their endings, so that `wrecks` and `wrecked` are one word to a comparison.

A crude cut of English endings, enough to compare two texts of one scene. Chinese is compared by pairs of characters,
as everywhere in this room.
"""

from functools import lru_cache

from her.synthesis.text.wording import content_words

_COMMON_TEXT = """
i've i'm i'll i'd you're you've you'll you'd he's he'd he'll she's she'd she'll we're we've we'll we'd they're they've
they'll they'd it's that's there's here's what's who's let's don't doesn't didn't isn't aren't wasn't weren't hasn't
haven't hadn't won't wouldn't can't cannot couldn't shouldn't mustn't needn't one two three four five six seven eight
nine ten first second third last next half both each every either neither another other once twice never ever always
often again still yet already soon later early ago since until till while though although because whether else even
also just rather quite almost enough perhaps maybe indeed really away back down off over through between against
without within behind beside across around toward towards near far long short old new young little small big great
good bad better best worse worst right wrong true same different own whole full free sure able ready time day night
morning evening hour minute week month year today tomorrow yesterday moment while way thing things something anything
nothing everything someone anyone nobody everybody man men woman women boy girl child children people person friend
sir madam lord lady master miss mister name word words side end place part kind sort matter reason case point be being
been do does doing done have having had get gets got give gives gave given go goes went gone going come comes came
coming make makes made take takes took taken keep keeps kept put let say says said tell tells told ask asks asked know
knows knew known think thinks thought see sees saw seen look looks looked hear hears heard want wants wanted need
needs needed like likes liked love find finds found feel feels felt seem seems seemed leave leaves left stay stays
stayed stand stands stood sit sits sat turn turns turned call calls called try tries tried use uses used mean means
meant hold holds held bring brings brought show shows showed talk talks talked speak speaks spoke spoken wait waits
waited work works worked live lives lived lie lies begin begins began stop stops stopped set sets run runs ran walk
walks walked open opens opened close closes closed hand hands eye eyes face head heart mind house home door room world
life yes no well please thank thanks sorry dear much many most more less few lot only very too
"""
_ENDINGS = ("ings", "edly", "ing", "ies", "ied", "ed", "en", "es", "s", "ly", "y", "e")


@lru_cache(maxsize=65536)
def root(word: str) -> str:
    """The word without possessive and ending; never shorter than three letters."""
    word = word.removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            # `dropped` and `drop` have one root.
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls" else stem
    return word


COMMON = frozenset(root(w) for w in _COMMON_TEXT.split())
"""Roots of words that any two texts may share: their meeting proves nothing."""


@lru_cache(maxsize=8192)
def roots(text: str) -> frozenset[str]:
    """The roots of a text's content words."""
    return frozenset(root(w) for w in content_words(text))
