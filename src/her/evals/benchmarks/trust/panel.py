"""Panel: several judges' marks become one, and judges of one family are told apart from judges of several.

A mean is taken only where every judge could be read: over whoever happened to answer, it would move with their
leniency.
"""

import re
from collections.abc import Sequence

from her.errors import ConfigError
from her.evals.benchmarks.mark import Mark, Scored, Unscored

_FAMILIES = (
    "smollm", "qwen", "llama", "mistral", "mixtral", "gemma", "gemini", "gpt", "claude", "deepseek", "glm", "kimi",
    "minimax", "phi", "grok", "doubao", "ernie", "yi", "command", "olmo",
)  # fmt: skip


def family(judge: str) -> str:
    """The family that a judge's name tells, or the name itself: `openai:gpt-5.4@..` and `openai:gpt-4o@..` are one."""
    model = re.sub(r"@https?://.*$", "", judge).casefold()
    return next((f for f in _FAMILIES if re.search(rf"(?<![a-z]){f}", model)), judge)


def check_panel(judges: Sequence[str], *, player: str) -> tuple[str, ...]:
    """Warnings about a panel, for people. Refuses the same judge twice."""
    if doubled := next((j for j in judges if judges.count(j) > 1), None):
        raise ConfigError(f"the judge {doubled} is named twice; a panel needs different judges")
    families = [family(j) for j in judges]
    told = []
    if len(judges) > 1 and len(set(families)) == 1:
        told.append(f"all judges are of one family ({families[0]}): their agreement says little")
    if any(f == family(player) for f in families):
        told.append(f"a judge is of the examined model's own family ({family(player)}): judges favour their own")
    return tuple(told)


def panel(by_judge: Sequence[Sequence[Mark]]) -> tuple[Mark, ...]:
    """Every judge's marks as they are, and for each metric the mean over the judges (`judge=None`).

    `by_judge` holds one judge's marks each, all with the same metrics in the same order. A mark that code gave
    (`judge=None`) is the same beside every judge and stands once.
    """
    own = [m for marks in by_judge for m in marks if m.judge is not None]
    means: list[Mark] = []
    for row in zip(*by_judge, strict=True):
        metric = row[0].metric
        if row[0].judge is None:
            means.append(row[0])
            continue
        scored = [m for m in row if isinstance(m, Scored)]
        if len(scored) == len(row):
            means.append(Scored(metric=metric, value=sum(m.value for m in scored) / len(row), judge=None))
        else:
            missing = next(m for m in row if isinstance(m, Unscored))
            means.append(Unscored(metric=metric, reason=missing.reason, judge=None))
    return (*own, *means)
