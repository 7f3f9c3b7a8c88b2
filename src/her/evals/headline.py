"""Headline and caveats: a run's figures in plain sentences.

Owns what may be said of a figure. A difference is claimed only where the interval allows it; everything else is said as
what was measured. No sentence is written that the record does not carry.
"""

from her.evals.run_report import RunReport
from her.evals.winrate import WinRate
from her.stats import Estimate

SMALL_N = 100
"""Below this many observations a share's interval is wider than about 0.2 across the middle (Wilson)."""
UNSCORED_MARK = 0.05
"""A judged score of which more than this share is unread is marked."""


def headline(report: RunReport) -> tuple[str, ...]:
    """What happened, a sentence each."""
    said: list[str] = []
    if report.stages:
        resumed = sum(s.resumed for s in report.stages)
        calls, kept = sum(s.calls for s in report.stages), sum(s.kept for s in report.stages)
        rejected = sum(sum(s.rejected.values()) for s in report.stages)
        said.append(
            f"{_count(len(report.stages), 'stage')} ran ({resumed} resumed) with {calls} model calls; "
            f"{kept} records were kept and {rejected} rejected, each with its reason."
        )
    if report.sft is not None:
        before, after = report.sft.heldout_before, report.sft.heldout_after
        if _known(before) and _known(after):
            said.append(
                f"Fine-tuning on {_count(report.sft.samples_train, 'sample')} moved the held-out loss from "
                f"{_figure(before)} to {_figure(after)} nats per token."
            )
    if report.judge is not None:
        for row in report.judge.rows:
            if row.rewards and row.test is not None and row.test.value is not None:
                said.append(
                    f"The rewarding judge, {row.name}, agrees with the hand labels on {_percent(row.test)} "
                    "of the test pairs."
                )
    if report.eval is not None:
        forms = [f"{m.policy} {_percent(m.well_formed)}" for m in report.eval.single if m.well_formed.value is not None]
        if forms:
            said.append(f"Well-formed replies on held-out prompts: {'; '.join(forms)}.")
        said += [_games(w) for w in report.eval.win_rates if w.policy == report.eval.policies[-1]]
    return tuple(said) or ("No stage has anything to report yet.",)


def caveats(report: RunReport) -> tuple[str, ...]:
    """What the figures do not show."""
    said: list[str] = []
    if any(m.name.startswith("local:") for m in report.about.models):
        said.append(
            "The embedded models are tiny. Their replies show that the machinery works, not what HER can do at 32B."
        )
    if report.eval is not None:
        if 0 < report.eval.prompts < SMALL_N:
            said.append(
                f"The exam has {_count(report.eval.prompts, 'held-out prompt')}. Below {SMALL_N}, only large "
                "differences show; read the intervals before the values."
            )
        if report.eval.single:
            said.append(
                "Intervals of shares are Wilson's and take replies as independent. Replies of one scene are not, so "
                "these are somewhat too narrow. Means and win rates are resampled by scene."
            )
        few = min((m.scenes for m in report.eval.single if m.n), default=0)
        if 0 < few < 10:
            said.append(f"The held-out replies come from only {_count(few, 'scene')}; resampling so few says little.")
        for w in report.eval.win_rates:
            if w.pairs and w.unread / w.pairs > UNSCORED_MARK:
                said.append(
                    f"{w.unread} of {w.pairs} games of {w.policy} against {w.against} went unread, "
                    f"more than {UNSCORED_MARK:.0%}: the rate stands on what is left."
                )
    if report.judge is not None:
        examiners = [r for r in report.judge.rows if r.examines]
        said += [
            f"The examining judge, {r.name}, also gives the reward: its win rates are not an independent exam."
            for r in examiners
            if r.rewards
        ]
        said += [
            f"The examining judge, {r.name}, is not shown to be better than chance: {_percent(r.test)} "
            "right on the test pairs."
            for r in examiners
            if r.test is not None and (r.test.low is None or r.test.low <= 0.5)
        ]
        said += [f"The examining judge, {r.name}, was not measured on test pairs." for r in examiners if r.test is None]
        said += [
            f"The rewarding judge, {r.name}, is not shown to be better than chance either: what the policy learns "
            "from it beyond passing the gates may be noise."
            for r in report.judge.rows
            if r.rewards and r.test is not None and (r.test.low is None or r.test.low <= 0.5)
        ]
    return tuple(said)


def _games(w: WinRate) -> str:
    rate = w.rate
    if rate.value is None or rate.low is None or rate.high is None:
        return f"No game of {w.policy} against {w.against} could be read ({_count(w.pairs, 'pair')})."
    if rate.low > 0.5:
        meaning = "better than even in this judge's eyes"
    elif rate.high < 0.5:
        meaning = "worse than even in this judge's eyes"
    else:
        meaning = "the interval holds one half, so no difference is shown"
    return f"Win rate of {w.policy} against {w.against}: {_percent(rate)}: {meaning}."


def _percent(e: Estimate) -> str:
    if e.value is None or e.low is None or e.high is None:
        return "no data (n=0)"
    return f"{e.value:.0%} [{e.low:.0%}, {e.high:.0%}] (n={e.n})"


def _figure(e: Estimate | None) -> str:
    if e is None or e.value is None or e.low is None or e.high is None:
        return "no data"
    return f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"


def _known(e: Estimate | None) -> bool:
    return e is not None and e.value is not None


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
