"""A synthesis with every section filled: records of the shipped story, figures made up, the same at every run."""

import math

from her.evals.run_report import ModelLine, SampleDialogue
from her.evals.synth_sections import CallRow, CharacterRow, Count, GainSection, LostRow, SynthPage
from her.renderers.layouts import dialogue_layouts
from her.schema import Dialogue, Turn, merge_parts
from her.stats import Estimate, clustered_mean, share
from her.story import load_gold

HOSTILE = "<script>document.title='owned'</script><img src=https://evil.example/x.png onerror=alert(1)>"
TITLE = f"The Ninth Lantern: a/b & {HOSTILE}"


def bare(turn: Turn) -> Turn:
    """The turn as a book would have it: nothing hidden."""
    return Turn(
        id=turn.id, speaker=turn.speaker, parts=merge_parts(tuple(p for p in turn.parts if p.kind != "thought"))
    )


def section(dialogues: list[Dialogue]) -> GainSection:
    turns = [(d.id, t.speaker) for d in dialogues for t in d.turns]
    values = [0.05 + 0.2 * math.sin(i) + 0.1 * math.cos(2.7 * i) for i in range(len(turns))]
    where = [d for d, _ in turns]

    def mean(shift: float) -> Estimate:
        return clustered_mean([v + shift for v in values], where, seed=1)

    def of(name: str) -> CharacterRow:
        own = [(v, d) for v, (d, n) in zip(values, turns, strict=True) if n == name]
        return CharacterRow(
            name=name,
            value=clustered_mean([v for v, _ in own], [d for _, d in own], seed=1),
            positive=share(sum(v > 0 for v, _ in own), len(own)),
        )

    return GainSection(
        layer="thought",
        values=tuple(values),
        value=mean(0.0),
        positive=share(sum(v > 0 for v in values), len(values)),
        over_without=mean(0.11),
        over_shuffled=mean(0.07),
        copied=clustered_mean([0.1 + abs(v) / 3 for v in values], where, seed=1),
        characters=tuple(of(name) for name in sorted({n for _, n in turns})),
        unmeasured={"no_control": 3, "no_layer": 9},
    )


def synth_page() -> SynthPage:
    gold = [d.model_copy(update={"provenance": "teacher"}) for d in load_gold()]
    whisper = gold[0].turns[0].model_copy(update={"system_thinking": f"A plan with markup: {HOSTILE}"})
    gold[0] = gold[0].model_copy(update={"turns": (whisper, *gold[0].turns[1:])})
    thought = section(gold)
    return SynthPage(
        run="synth-lantern",
        title=TITLE,
        models=(
            ModelLine(
                role="teacher",
                name="openai:some-large-model@https://teacher.example/v1",
                licence="the endpoint's",
                limits="what you write is sent to this endpoint, under its own terms",
            ),
            ModelLine(
                role="scorer",
                name="local:smollm2-135m",
                licence="Apache-2.0",
                limits="135 million parameters, little sense",
            ),
        ),
        seed=7,
        versions={"her": "0.1.0", "torch": "2.13.0"},
        counts=(
            Count(what="chapters", n=7),
            Count(what="scenes", n=14),
            Count(what="utterances in them", n=131),
            Count(what="turns", n=112),
            Count(what="turns whose speech stands in the text", n=109, of=112),
            Count(what="stretches of invented speech", n=2),
            Count(what="turns with role thinking", n=103, of=112),
            Count(what="turns with system thinking", n=110, of=112),
            Count(what="additions to settings, each with its quote", n=31),
        ),
        speech_found=Count(what="turns whose speech stands in the text", n=109, of=112),
        lost=(
            LostRow(stage="speaker", rejected={"unattributed": 14}, refused={}),
            LostRow(
                stage="role_thinking",
                rejected={"copies_speech": 4, "not_first_person": 3, "reads_minds": 2},
                refused={"copies_speech": 21, "not_first_person": 12, "length": 9, "off_topic": 17, "talks_of_user": 1},
            ),
            LostRow(stage="completion", rejected={}, refused={"quote_not_in_source": 6}),
        ),
        layouts_before=dialogue_layouts([tuple(bare(t) for t in d.turns) for d in gold]),
        layouts_after=dialogue_layouts([d.turns for d in gold]),
        gains=(thought, thought.model_copy(update={"layer": "system_thinking", "unmeasured": {}})),
        flags={"injection": 2, "mind_reading": 1},
        calls=(
            CallRow(
                what="role thinking",
                model="some-large-model",
                calls=131,
                prompt_tokens=210344,
                completion_tokens=9120,
                cost_usd=0.0094,
            ),
            CallRow(
                what="system thinking",
                model="some-large-model",
                calls=240,
                prompt_tokens=410344,
                completion_tokens=29120,
                cost_usd=1.2,
            ),
            CallRow(
                what="gains",
                model="local:smollm2-135m",
                calls=448,
                prompt_tokens=15223,
                completion_tokens=0,
                cost_usd=0.0,
            ),
        ),
        samples=tuple(SampleDialogue(title=f"{d.scene.topic or d.scene.id}", dialogue=d) for d in gold[:2]),
    )
