"""CoSER's card: its three profiles, and every point in which they differ, with the reason. Data alone."""

from her.evals.benchmarks.card import Card, Difference, Option, Profile, Source
from her.evals.benchmarks.coser_judging import AVERAGE

_DIFFERENCES = (
    Difference(
        what="rounds",
        upstream="coser 20; her 10, though its README says 20",
        fixed="20; `--set rounds=N` for less, which every figure's group then says",
        why="what is forgiven grows by 1.5 points a turn: 10 rounds forgive 15 points, 20 forgive 30",
    ),
    Difference(
        what="what a character wants",
        upstream="both read `motivation`; the published file says `thought`, so all 456 characters play without one",
        fixed="`thought` is what the character wants, and it alone is told",
        why="the scenes are about hidden motives",
    ),
    Difference(
        what="whom the judge hears",
        upstream="no speaker is named in the acted scene (the line that would is commented out)",
        fixed="every line is headed by its speaker",
        why="fidelity to a character cannot be judged where nobody knows who speaks",
    ),
    Difference(
        what="the main characters in the criteria",
        upstream="the placeholder `{major_characters}` is never filled",
        fixed="filled with their names",
        why="the judge is told to look at them alone",
    ),
    Difference(
        what="thoughts before the judge",
        upstream="coser cuts them out; her shows role thinking",
        fixed="as --thoughts says, by default hidden, on both sides alike",
        why="a text that explains itself is judged otherwise than one that is acted",
    ),
    Difference(
        what="a thought whose bracket is not closed",
        upstream="coser shows it to the others and to the judge",
        fixed="hidden from both",
        why="a slip of form must not let others read a mind",
    ),
    Difference(
        what="a judgement that cannot be read",
        upstream="coser asks up to six times and then fails; her gives 50 for it and 0 for a call that failed",
        fixed="asked three times, then unscored and counted",
        why="no failure is a number",
    ),
    Difference(
        what="a severity that is no whole number from 1 to 5",
        upstream="coser counts whole numbers and takes 1 for a missing one; her counts any number",
        fixed="the judgement is unread and asked for again, bound to a JSON schema",
        why="a flaw without weight would be free, one of weight 100 would end the scene",
    ),
    Difference(
        what="turns that count (N)",
        upstream="every message of a character, empty and unreadable ones too",
        fixed="turns of which something is seen",
        why="silence would earn 1.5 points a round",
    ),
    Difference(
        what="a scene in which nobody said anything",
        upstream="judged as an empty text, in which there is no flaw: up to 100",
        fixed="unscored: nothing was said",
        why="nothing was acted",
    ),
    Difference(
        what="a reply that failed or cannot be read",
        upstream="an empty turn (her), or asked for without end (coser; here an empty turn)",
        fixed="no turn; counted by reason",
        why="nobody said an empty line",
    ),
    Difference(
        what="prompt and history of a character",
        upstream="an own template, 60 words (coser) or about 200 (her); her shows its own past system thinking and "
        "leaves users' messages unmerged; coser joins them without a break",
        fixed="the prompt and history of training and serving, plans dropped, no limit of words",
        why="what is measured is what is served",
    ),
    Difference(
        what="sampling",
        upstream="coser greedy, 512 tokens; her temperature 0.7, 4096 tokens",
        fixed="temperature 0.7, 1024 tokens; `--set temperature=` and `max_tokens=`",
        why="repeats show how far one play is from the next",
    ),
    Difference(
        what="who speaks next",
        upstream="searched for in free text; else drawn from main characters and Environment by one global generator "
        "over a set, so that order and hash seed matter (here: by the scene's seed)",
        fixed="one allowed name as JSON; else drawn by the scene's seed from all who may speak, and counted",
        why="a name inside another is not a call, and a scene's draws must not depend on the scenes before it",
    ),
    Difference(
        what="who opens, and the earliest end",
        upstream="the first speaker listed, be it the Environment; the scene may end after six turns",
        fixed="the first character listed; after five turns",
        why="the stage is the one that chats and training use",
    ),
    Difference(
        what="BLEU and ROUGE-L",
        upstream="NLTK's tokens and unsmoothed BLEU; `rouge`, which counts different words; a named reference against "
        "an unnamed play, Environment included; her takes 0 where a side is empty",
        fixed="plain BLEU and ROUGE-L of what the characters say and do, without names; nothing where a side is empty",
        why="names and the Environment's words are not the examined model's",
    ),
    Difference(
        what="loops of words in a reply",
        upstream="coser cuts them, unless the model is called gpt or claude",
        fixed="left as they are, in every profile",
        why="a repair by the model's name favours names",
    ),
    Difference(
        what="wording of prompts",
        upstream="the original's",
        fixed="our own words, in every profile",
        why="prompts of others are not copied here; a number of another wording is another number",
    ),
)

CARD = Card(
    name="coser",
    title="CoSER Test",
    family="scenes",
    measures="Acting whole scenes of books: consistency with the story, humanity, fidelity to character, quality.",
    paper="Wang et al., ICML 2025 (arXiv 2502.09082); variant: HER, arXiv 2601.21459",
    language="English",
    sources=(
        Source(
            where="github.com/Neph0s/CoSER, data/test/test_set.json",
            licence="none stated; texts derive from novels under copyright",
            url="https://raw.githubusercontent.com/Neph0s/CoSER/main/data/test/test_set.json",
            sha256=None,
        ),
    ),
    mini="scenes/coser.json",
    headline=AVERAGE,
    scale=(0.0, 100.0),
    higher_is_better=True,
    parts=("environment", "next_speaker"),
    judged=True,
    uses=("thoughts", "system_thinking"),
    whole_clusters=False,
    profiles=(
        Profile(
            name="fixed",
            meaning="ours: motives told, speakers named, what cannot be read is unscored; played on the stage we serve",
            options={},
        ),
        Profile(
            name="coser",
            meaning="as CoSER's gca_evaluation plays, judges and counts, mistakes included",
            options={"temperature": "0", "max_tokens": "512", "judge_tokens": "8196", "thoughts": "hidden"},
        ),
        Profile(
            name="her",
            meaning="as HER's eval_code does: 10 rounds, thoughts shown, 50 for an unread verdict",
            options={"rounds": "10", "max_tokens": "4096", "thoughts": "shown"},
        ),
    ),
    one_profile=None,
    differences=_DIFFERENCES,
    options=(
        Option(name="rounds", choices=(), default="20", meaning="most turns of a scene"),
        Option(name="temperature", choices=(), default="0.7", meaning="of the characters; in coser and her of all"),
        Option(name="max_tokens", choices=(), default="1024", meaning="longest reply of a character"),
        Option(name="judge_tokens", choices=(), default="2048", meaning="longest judgement"),
        Option(
            name="thoughts",
            choices=("asked", "hidden", "shown"),
            default="asked",
            meaning="role thinking before the judge; asked: as --thoughts says",
        ),
    ),
    published=(
        "CoSER's chart (gpt-4o judge, 20 rounds): CoSER-70B 59.1, GPT-4o 58.8 to 60.0, Qwen2.5-72B 57.1 to 58.1",
        "HER (another judge, 10 rounds, thoughts shown): M2-her 57.30, HER-RL 53.12, CoSER-70B 35.95, GPT-4o 27.69: on "
        "no common scale with CoSER's own",
        "SOUL (gpt-5.4-mini, one call, 1 to 10): Ditto .512, HER .419: another protocol under the same name",
    ),
)
