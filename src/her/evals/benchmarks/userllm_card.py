"""UserLLM's card: the six metrics, what each profile does, and what is done where a published instrument is not to be
had offline."""

from her.evals.benchmarks.card import Card, Difference, Option, Profile, Source

ROLE, INTENT, DIVERSITY = "role adherence", "intent adherence", "first-turn diversity"
OVERLAP = "intent overlap (less is better)"
ENDING_F1, HUMAN = "termination F1", "taken for human"
ENDING = "right ending"
"""Of one turn; termination F1 is made of these, and SOUL's reward has it in its place."""
COMPOSITE = "composite (SOUL's reward)"
OWN_METRICS: dict[str, dict[str, str]] = {
    "commonsense_qa": {"role_adherence": ROLE},
    "natural_questions": {"intent_adherence": INTENT},
    "prism": {
        "first_turn_diversity": DIVERSITY,
        "intent_decomposition": OVERLAP,
        "termination_f1": ENDING_F1,
        "ai_detector_score": HUMAN,
    },
}
"""By source: the published name of each metric, and ours."""

CARD = Card(
    name="userllm",
    title="UserLLM",
    family="user",
    measures="Can a model write as the user: stay one, keep to a goal, tell it bit by bit, end when it is reached?",
    paper="Naous et al. 2025, arXiv 2510.06552; as a task of SOUL: arXiv 2605.20506",
    language="English",
    sources=(
        Source(
            where="Hugging Face sunweiwei/sim-eval-data, userllm_val.parquet (convert to JSON Lines); made from PRISM, "
            "Natural Questions (CC BY-SA 3.0) and CommonsenseQA (MIT)",
            licence="not stated for the whole",
            url=None,
            sha256=None,
        ),
    ),
    mini="users/userllm.jsonl",
    headline=ROLE,
    scale=(0.0, 1.0),
    higher_is_better=True,
    parts=(),
    judged=True,
    uses=(),
    whole_clusters=False,
    profiles=(
        Profile(name="fixed", meaning="ours: six metrics, each by its published definition, and no mean", options={}),
        Profile(name="upstream", meaning="as SOUL scores it, its composite reward beside the six", options={}),
    ),
    one_profile=None,
    differences=(
        Difference(
            what="one number for all",
            upstream="the mean over rows of: role, intent, or (overlap + right ending + human) / 3",
            fixed="none; six metrics apart",
            why="less overlap is better, and it is added: the number rises when a user gives everything away at once",
        ),
        Difference(
            what="AI detector",
            upstream="the paper asks Pangram, a paid service; the released code asks a language model: AI or HUMAN",
            fixed="the same question to the named judge, in both profiles, as `taken for human`",
            why="no detector can be had offline; a language model is no detector of itself: read it as a judge's taste",
        ),
        Difference(
            what="role adherence of a user who repeats all choices",
            upstream="0",
            fixed="1, as the paper defines it: the question was repeated, not answered",
            why="the code contradicts the paper",
        ),
        Difference(
            what="an empty reply",
            upstream="full role adherence, and the best overlap there is",
            fixed="unscored and counted",
            why="a model that says nothing would lead two tables",
        ),
        Difference(
            what="overlap and human-likeness where the real user had finished",
            upstream="measured on whatever is said, 0 where the conversation is ended",
            fixed="not asked there: only the ending counts; ending too early leaves them unscored",
            why="a user who ends rightly says nothing that could be measured",
        ),
        Difference(
            what="termination over a batch",
            upstream="the reward counts every row's right ending; F1 is 0 where nothing ended and nothing was said to",
            fixed="F1 alone, with no value where it is not defined",
            why="most turns are not the last: never ending has many right endings",
        ),
        Difference(
            what="words of first turns",
            upstream="punctuation marks count as words",
            fixed="words alone",
            why="two questions are not alike because both end in a question mark",
        ),
        Difference(
            what="a judge who cannot be read",
            upstream="0 in the reward, left out of the metric's mean",
            fixed="asked again, then unscored and counted, in both profiles",
            why="a fault of the judge is no fault of the user",
        ),
        Difference(
            what="function words, and the wording of all prompts",
            upstream="a list of 58 words; the original's prompts",
            fixed="our own list and our own words, in both profiles",
            why="prompts of others are not copied here; a number of another wording is another number",
        ),
    ),
    options=(
        Option(name="max_tokens", choices=(), default="160", meaning="longest turn"),
        Option(
            name="temperature",
            choices=(),
            default="0.7",
            meaning="of the simulated user; what the published runs took is not known",
        ),
    ),
    published=(
        "SOUL (100 sampled rows, composite): Ditto .930, GPT-5.4 .575, HER-32B .537, base .469, GPT-5-nano .324; "
        "compare with `upstream` alone, and with its judge in mind",
        "a user who always says `hm` has full role adherence and no overlap: read the six together",
    ),
)
