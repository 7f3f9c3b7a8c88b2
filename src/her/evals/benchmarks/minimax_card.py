"""MiniMax's Role-Play Bench in data: dimensions, weights, label, profiles and what is published of it.

The judge, its prompt, the user simulator and the arithmetic from dimensions to categories were never published. Nothing
here claims theirs: whatever is shown carries the label.
"""

from her.evals.benchmarks.card import Card, Difference, Option, Profile, Source

LABEL = "role-play-bench protocol, our judge"
FULL = 100
"""Turns of the full protocol, after the two that are given: half of them the character's."""
CHUNK = 20
DIMENSIONS = ("basics", "logic", "knowledge", "diversity", "content_logic", "interaction")
CATEGORIES: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("Worlds", 0.50, ("basics", "logic", "knowledge")),
    ("Stories", 0.25, ("diversity", "content_logic")),
    ("Preferences", 0.25, ("interaction",)),
)


def labelled(metric: str) -> str:
    """A metric under the name that it is shown by."""
    return f"{metric.replace('_', ' ')} ({LABEL})"


OVERALL = labelled("overall")

CARD = Card(
    name="minimax",
    title=f"MiniMax Role-Play Bench ({LABEL})",
    family="scenes",
    measures="What clearly does not fit in long role-play with a simulated user: worlds, stories, preferences.",
    paper="MiniMaxAI/role-play-bench, data card",
    language="English, Chinese",
    sources=(
        Source(
            where="huggingface.co/datasets/MiniMaxAI/role-play-bench, data/en and data/zh: seeds.jsonl; with "
            "dialogues.jsonl and evaluations.jsonl for --calibrate",
            licence="contradictory: the tag says Apache-2.0, the text CC BY 4.0 and CC BY-SA 4.0",
            url="hf:MiniMaxAI/role-play-bench@3c1be2a56afbcaab19ae6b40b8a24429eae792f5/data/en/seeds.jsonl",
            sha256=None,
        ),
    ),
    mini="sessions/minimax.jsonl",
    headline=OVERALL,
    scale=(0.0, 100.0),
    higher_is_better=True,
    parts=("user",),
    judged=True,
    uses=("thoughts", "system_thinking"),
    whole_clusters=True,
    profiles=(
        Profile(name="fixed", meaning="ours: a session counts where all of it could be judged", options={}),
        Profile(
            name="upstream",
            meaning="as far as it is published, gaps filled with the plainest reading",
            options={"form": "plain", "context": "0"},
        ),
    ),
    one_profile=None,
    differences=(
        Difference(
            what="judge, its prompt, user simulator",
            upstream="unpublished: ours stand in",
            fixed="ours",
            why=f"no number here is theirs; every label says '{LABEL}'",
        ),
        Difference(
            what="score of a chunk on a dimension",
            upstream="unpublished, from 0 to 100: read as in fixed",
            fixed="100 times the share of the character's lines without a fault of that dimension",
            why="every point that is lost has a line; a judge that finds nothing gives 100, so --calibrate it first",
        ),
        Difference(
            what="from six dimensions to three categories",
            upstream="unpublished: equal weights inside a category",
            fixed="the same",
            why="recomputed from the released evaluations, it gives the published order, 5 to 9 points higher",
        ),
        Difference(
            what="a chunk that cannot be read or judged",
            upstream="left out of the session's mean",
            fixed="the session is unscored",
            why="the chunks that cannot be judged are not like the others",
        ),
        Difference(
            what="what the judge sees of earlier turns",
            upstream="nothing: the chunk alone",
            fixed="the four lines before the chunk, not to be judged",
            why="a chunk begins in the middle, and its first lines would look like faults of logic",
        ),
        Difference(
            what="how the examined model is asked",
            upstream="as a plain chat with the setting as system prompt",
            fixed="in HER's form, as it is trained and served; the user's profile is known to it in both",
            why="what is measured is what is served",
        ),
        Difference(
            what="sessions for each seed",
            upstream="three",
            fixed="as --repeats says, in both profiles; give --repeats 3 for theirs",
            why="repeats are a setting of every exam; intervals draw whole seeds",
        ),
    ),
    options=(
        Option(
            name="turns",
            choices=(),
            default=str(FULL),
            meaning=f"lines to be played, both sides counted; fewer than {FULL} is marked as not the full protocol",
        ),
        Option(name="form", choices=("her", "plain"), default="her", meaning="how the examined model is asked"),
        Option(name="context", choices=(), default="4", meaning="lines before a chunk that its judge is shown"),
        Option(
            name="user_style",
            choices=("passive", "balanced", "proactive"),
            default="balanced",
            meaning="how much the simulated user leads",
        ),
        Option(name="max_tokens", choices=(), default="400", meaning="longest reply of the character"),
    ),
    published=(
        "MiniMax's table (overall; their judge): MiniMax-M2-her 84.65, doubao-1.5-pro 80.64, GPT-5.1 80.63, "
        "Claude-4.5-Opus 76.62, GPT-4o 66.39; HER's authors add HER-RL 65.73 and Qwen3-32B 50.76. Not comparable with "
        "any number from here: another judge, another user",
    ),
)
