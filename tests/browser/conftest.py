"""A small run, made with scripted policies on the shipped scenes: real records, no model, the same at every run."""

import asyncio
import math

import pytest

from her.evals import ExamConfig, ExamResult, examine
from her.evals.run_report import (
    About,
    JudgeRow,
    JudgeSection,
    LossPoint,
    ModelLine,
    PolicySection,
    PolicyStep,
    RunReport,
    SampleDialogue,
    SFTSection,
    StageRow,
)
from her.llm.model import Reply, Request
from her.llm.scripted import ScriptedModel
from her.renderers.roleplay import chat
from her.schema import Comparison, Decided, Dialogue, Part, RLPrompt, Scene, Turn, Unparsed, Verdict
from her.stats import Estimate, share
from her.story import load_scenes

HOSTILE = "<script>document.title='owned'</script><img src=https://evil.example/x.png onerror=alert(1)>"
"""What a model might write, or a user might call a run."""
PLAN = "<system_thinking>NAME is cornered and should give away as little as she can, politely.</system_thinking>"


class Varied:
    """A `ChatModel` that answers in the name of whoever it plays, one of several bodies by the request's seed."""

    def __init__(self, name: str, bodies: list[str]) -> None:
        self.name = f"scripted:{name}"
        self.fingerprint = self.name
        self._bodies = bodies
        self._inner = ScriptedModel(bodies, name=self.name)

    async def reply(self, request: Request) -> Reply:
        reply = await self._inner.reply(request)
        who = request.messages[0].content.partition("You are ")[2].partition(".")[0]
        return reply.model_copy(update={"text": reply.text.replace("NAME", who)})

    async def close(self) -> None:
        pass


def prompts(scenes: list[Scene]) -> list[RLPrompt]:
    """Two places in each scene: its first line, and the answer to it."""
    made = []
    for scene in scenes:
        first, second = scene.names()[0], scene.names()[1]
        opening = Turn(
            id="t1",
            speaker=first,
            parts=(
                Part(kind="thought", text="I must not show that I know why he has come."),
                Part(kind="action", text="sets the lamp down between them"),
                Part(kind="speech", text=f"You look as if you had a question, {second}."),
            ),
        )
        for number, (who, history) in enumerate([(first, ()), (second, (opening,))], start=1):
            made.append(
                RLPrompt(
                    id=f"{scene.id}.p{number}",
                    dialogue_id=scene.id,
                    turn_id=f"t{number}",
                    character=who,
                    scene=scene,
                    history=history,
                    messages=chat(scene, history, who, history_policy="drop_own_system", system_thinking=True),
                    reference=Turn(id=f"t{number}", speaker=who, parts=(Part(kind="speech", text="Perhaps I have."),)),
                    split="test",
                    provenance="gold",
                    history_policy="drop_own_system",
                    system_thinking=True,
                )
            )
    return made


async def longer_wins(comparisons: list[Comparison]) -> list[Verdict]:
    """A judge with a known taste: more parts win. One question in twenty it cannot answer."""
    verdicts: list[Verdict] = []
    for number, c in enumerate(comparisons):
        if number % 20 == 7:
            verdicts.append(Unparsed(reason="not JSON"))
        elif len(c.cand_1.parts) == len(c.cand_2.parts):
            verdicts.append(Decided(winner="cand_1"))  # the first named wins: a habit of position
        else:
            verdicts.append(Decided(winner="cand_1" if len(c.cand_1.parts) > len(c.cand_2.parts) else "cand_2"))
    return verdicts


def exam(scenes: list[Scene]) -> ExamResult:
    base = Varied(
        "base",
        [
            "I am happy to help with the scene. What would you like to know about it?",
            f"Sure! {HOSTILE}",
            "",
            "NAME: Yes.\nEnvironment: The wind rises.",
            "<role_thinking>He knows far more than he has told any of us here",
        ],
    )
    plan = PLAN
    sft = Varied(
        "sft",
        [
            f"{plan}NAME: <role_thinking>He is fishing.</role_thinking><role_action>trims the wick</role_action>"
            "It burned.",
            f"{plan}NAME: <role_action>turns to the window</role_action>Ask the river, not me.",
            f"{plan}NAME: I have said what I have to say.",
            f"{plan}NAME: <role_thinking>I never wanted to light that lamp again</role_thinking>"
            "I never wanted to light that lamp again.",
        ],
    )
    rl = Varied(
        "policy",
        [
            f"{plan}NAME: <role_thinking>If I look away now, it is over.</role_thinking><role_action>holds the gaze"
            "</role_action>It burned all night. <role_action>smiles</role_action>Is that what you came for?",
            f"{plan}NAME: <role_action>pours the tea without spilling</role_action>You take it without sugar, I think.",
        ],
    )
    return asyncio.run(
        examine(
            {"base": base, "sft": sft, "policy": rl},
            prompts(scenes),
            scenes[:3],
            ExamConfig(samples=2, rounds=4, max_tokens=200, seed=7),
            judge=longer_wins,
            judge_name="scripted judge: more parts win",
        )
    )


def run_report(name: str = "quickstart") -> RunReport:
    """A report with every section filled."""
    scenes = load_scenes()[:6]
    result = exam(scenes)
    steps = tuple(
        PolicyStep(
            step=i,
            reward=None if i == 4 else 0.4 + 0.02 * i + 0.05 * math.sin(i),
            rewarded=0 if i == 4 else 15,
            unread=16 if i == 4 else 1,
            entropy_bits=2.4 - 0.06 * i,
            top_layout_share=0.25 + 0.015 * i,
            gated=0 if i == 4 else max(0, 4 - i // 3),
            tokens=81 + 3 * math.sin(i / 2),
            opening_share=0.1 + 0.01 * i,
            self_bleu=0.05 + 0.005 * i,
            agreed=7 if i % 4 == 0 else 0,
            compared=11 if i % 4 == 0 else 0,
            alarms=("31 words of thought, 14 were usual",) if i == 12 else (),
        )
        for i in range(1, 13)
    )
    given = Dialogue(
        id="gold",
        scene=scenes[1],
        provenance="gold",
        turns=(
            Turn(
                id="t1",
                speaker=scenes[1].names()[0],
                system_thinking="She should probe with hospitality and never ask directly.",
                parts=(
                    Part(kind="thought", text="Fed men talk."),
                    Part(kind="action", text="sets a second glass before him"),
                    Part(kind="speech", text=f"You will have had a cold crossing. {HOSTILE}"),
                ),
            ),
            Turn(id="t2", speaker=scenes[1].names()[1], parts=(Part(kind="speech", text="Cold, and 3 < 5 by weeks."),)),
        ),
    )
    return RunReport(
        about=About(
            run=name,
            models=(
                ModelLine(
                    role="policy",
                    name="local:smollm2-135m",
                    licence="Apache-2.0",
                    limits="135 million parameters; short English replies, little sense",
                ),
                ModelLine(
                    role="teacher", name="local:qwen2.5-coder-1.5b", licence="Apache-2.0", limits="a code model, 1.5B"
                ),
            ),
            seed=7,
            recipe="recipes/quickstart.toml",
            versions={"her": "0.1.0", "torch": "2.13.0", "trl": "1.16.0"},
            machine="2 cores, 8 GB, no GPU",
            seconds=1264.2,
            chat_command="her chat --model run:runs/quickstart --character Mara",
        ),
        stages=(
            StageRow(
                name="extract", kept=14, rejected={"speech_not_in_text": 3}, calls=31, tokens=48210, seconds=211.4
            ),
            StageRow(
                name="enrich",
                kept=122,
                rejected={"no_thought": 9, "rewrote_speech": 4},
                calls=262,
                tokens=190344,
                seconds=402.7,
            ),
            StageRow(name="samples", kept=182, rejected={"too_long": 6}, seconds=0.8),
            StageRow(name="sft", kept=1, tokens=88120, seconds=301.0, resumed=True, note="taken over from 10:42"),
            StageRow(name="policy", kept=1, calls=0, tokens=40110, seconds=288.6),
        ),
        sft=SFTSection(
            base="local:smollm2-135m",
            samples_train=150,
            samples_valid=16,
            tokens=88120,
            loss=tuple(
                LossPoint(step=i, loss=1.1 + 2.2 * math.exp(-i / 15) + 0.06 * math.sin(i)) for i in range(1, 61)
            ),
            heldout_before=Estimate(value=3.31, low=3.12, high=3.49, n=16),
            heldout_after=Estimate(value=1.62, low=1.50, high=1.75, n=16),
            well_formed_before=share(0, 24),
            well_formed_after=share(23, 24),
        ),
        judge=JudgeSection(
            rows=(
                JudgeRow(
                    name="untrained smollm2-135m",
                    choose=share(7, 15),
                    test=share(8, 15),
                    swap_consistency=share(2, 30),
                    ties=26,
                    unread=1,
                ),
                JudgeRow(
                    name="trained smollm2-135m",
                    choose=share(9, 15),
                    test=share(9, 15),
                    swap_consistency=share(19, 30),
                    ties=11,
                    unread=0,
                ),
                JudgeRow(
                    name="PMI, 1.5B",
                    choose=share(12, 15),
                    test=share(11, 15),
                    swap_consistency=None,
                    ties=0,
                    unread=0,
                    rewards=True,
                ),
                JudgeRow(
                    name="scripted judge: more parts win",
                    choose=None,
                    test=share(9, 15),
                    swap_consistency=None,
                    ties=0,
                    unread=0,
                    examines=True,
                    note="other pack than the reward's",
                ),
            ),
            trained_on=30,
        ),
        policy=PolicySection(
            start="the fine-tuned model",
            judge="PMI, 1.5B",
            prompts=24,
            group=4,
            steps=steps,
            witness="blend",
            rollback="collapse at step 12 (sick since 11): 62% of the replies open alike; taken back to step 8",
        ),
        eval=result,
        samples=(
            SampleDialogue(title="Mutton pie, by hand", dialogue=given, opening=2),
            *(
                SampleDialogue(title=f"{p.policy} plays {p.played.dialogue.scene.id}", dialogue=p.played.dialogue)
                for p in result.plays
                if p.policy != "base"
            ),
        ),
    )


@pytest.fixture(scope="session")
def report() -> RunReport:
    return run_report()


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE
