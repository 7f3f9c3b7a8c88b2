"""DynSess-Eval in data: its dimensions, profiles and published numbers."""

from her.evals.benchmarks.card import Card, Difference, Option, Profile, Source

FULL = 20
"""Lines of a continuation: about ten turns of each side."""
OVERALL = "overall"
DIMENSIONS = {
    "interactive ability": "dynsess_interactive",
    "human-likeness": "dynsess_human",
    "role consistency": "dynsess_role",
    "contextual coherence": "dynsess_context",
}
"""Name to the prompt that says what it means."""
FAILED = 3.0
"""What upstream puts in place of a rating that it could not get."""

CARD = Card(
    name="dynsess",
    title="DynSess-Eval",
    family="scenes",
    measures="Role-play over a session that is under way: ten more turns with a simulated user, rated from 1 to 5.",
    paper="Zhang et al., EMNLP 2026, arXiv 2605.29256",
    language="Chinese",
    sources=(
        Source(
            where="github.com/tangbupt/DynSess, data/test_dialogue_0424.jsonl",
            licence="MIT",
            url="https://raw.githubusercontent.com/tangbupt/DynSess/main/data/test_dialogue_0424.jsonl",
            sha256=None,
        ),
    ),
    mini="sessions/dynsess.jsonl",
    headline=OVERALL,
    scale=(1.0, 5.0),
    higher_is_better=True,
    parts=("user",),
    judged=True,
    uses=("thoughts", "system_thinking"),
    whole_clusters=False,
    profiles=(
        Profile(name="fixed", meaning="ours: a rating that cannot be read is none", options={}),
        Profile(name="upstream", meaning="as the released code does it", options={"form": "plain"}),
    ),
    one_profile=None,
    differences=(
        Difference(
            what="a judge that cannot be read",
            upstream="3, the passing mark, without a word",
            fixed="unscored and counted; asked again before",
            why="a failure is not a performance, and 3 lies between the published models",
        ),
        Difference(
            what="a runaway reply",
            upstream="over 500 characters, or under 5 different ones, ends the session, at no cost",
            fixed="the session goes on and the judge sees it",
            why="what breaks off is judged on its better half",
        ),
        Difference(
            what="how the examined model is asked",
            upstream="as a plain chat with the persona as system prompt",
            fixed="in HER's form, as it is trained and served",
            why="what is measured is what is served",
        ),
        Difference(
            what="an extra instruction to be brief",
            upstream="for some models (GPT-5, Gemini)",
            fixed="for none, in both profiles",
            why="all models sit one exam",
        ),
        Difference(
            what="wording of prompts, and their language",
            upstream="the original's, Chinese",
            fixed="our own, English, in both profiles",
            why="prompts of others are not copied here; a number of another wording is another number",
        ),
        Difference(
            what="user simulator and judge",
            upstream="Doubao-1.5-pro-32k-character and Gemini-3-flash-preview",
            fixed="the models that are named, in both profiles",
            why="a judge is part of a number: name it beside it",
        ),
    ),
    options=(
        Option(
            name="turns",
            choices=(),
            default=str(FULL),
            meaning=f"lines to be played, both sides counted; other than {FULL} is marked as not the full protocol",
        ),
        Option(name="form", choices=("her", "plain"), default="her", meaning="how the examined model is asked"),
        Option(
            name="user_style",
            choices=("passive", "balanced", "proactive"),
            default="passive",
            meaning="how much the simulated user leads; upstream scores with the passive one",
        ),
        Option(name="max_tokens", choices=(), default="1024", meaning="longest reply of the character"),
    ),
    published=(
        "people (1 to 5): Doubao-1.5-pro-character 3.38, GPT-5.4 3.31, Claude Sonnet 4.6 3.24, 'MiniMax-M2-HER (32B)' "
        "2.99, CoSER-70B 2.96; their judge puts Claude at 4.35 and GPT-5.4 at 4.29",
        "judge and people disagree: never report a judge's figures alone; `her eval rate` is the other half",
    ),
)
