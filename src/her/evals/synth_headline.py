"""Headline and caveats of a synthesis: its figures in plain sentences.

Owns what may be said of a figure. A difference is claimed only where the interval allows it.
"""

from her.evals.synth_sections import SynthPage


def headline(page: SynthPage) -> tuple[str, ...]:
    """What happened, a sentence each. A difference is claimed only where the interval allows it."""
    said = []
    if page.speech_found is not None and page.speech_found.of:
        found = page.speech_found
        said.append(f"The speech of {found.n} of {found.of} turns stands in the text word for word.")
    said.append(
        f"{page.rejected()} items were given up and {page.refused()} single answers refused, each with its reason."
    )
    before, after = page.layouts_before.turns, page.layouts_after.turns
    if before.entropy_bits is not None and after.entropy_bits is not None:
        said.append(
            f"Orders of thought, action and speech went from {before.distinct} ({before.entropy_bits:.2f} bits) "
            f"to {after.distinct} ({after.entropy_bits:.2f} bits)."
        )
    for section in page.gains or ():
        value = section.value
        if value.value is None or value.low is None or value.high is None:
            said.append(f"No {section.name()} could be weighed.")
            continue
        if value.low > 0:
            meaning = f"helps {_scorer(page)} to expect what is then said"
        elif value.high < 0:
            meaning = f"does not help {_scorer(page)} to expect what is then said"
        else:
            meaning = "is not shown to help or to hinder"
        said.append(
            f"On average the {section.name()} {meaning}: {value.value:+.3f} [{value.low:+.3f}, {value.high:+.3f}] "
            f"nats a token (n={value.n}), after its controls and the price of copying."
        )
    return tuple(said)


def caveats(page: SynthPage) -> tuple[str, ...]:
    """What the figures do not show."""
    said = []
    if any(m.name.startswith("local:") for m in page.models):
        said.append("The embedded models are tiny: what they write and weigh shows that the machinery works.")
    for section in page.gains or ():
        lost = sum(section.unmeasured.values())
        if lost:
            said.append(f"{lost} turns have no gain of their {section.name()}; they are in no mean.")
        if 0 < section.value.n < 30:
            said.append(f"{section.value.n} gains are few: read the intervals before the values.")
    if page.gains:
        said.append("A gain is what one model can use of a thought. Gains of different scorers are not comparable.")
    if page.cost_usd() is None:
        said.append("The cost is not known: a model has no listed price, or an endpoint did not count its tokens.")
    return tuple(said)


def _scorer(page: SynthPage) -> str:
    return next((m.name for m in page.models if m.role == "scorer"), "the scorer")
