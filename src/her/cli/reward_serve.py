"""`her reward serve`: groups of replies in, rewards out, over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from her.cli.door import key_of, say_open
from her.errors import ConfigError


def serve(
    judge: Annotated[str, typer.Option(help="MODEL, MODE:MODEL, label:MODEL, pmi:MODEL or blend:FILE.")],
    pack: Annotated[
        Path | None, typer.Option(help="A principle pack; without one, the judge writes its own principles.")
    ] = None,
    schedule: Annotated[
        str, typer.Option(help="circulant:K, anchor, anchor:2, round_robin or knockout.")
    ] = "circulant:2",
    deadline: Annotated[
        float, typer.Option(min=0.01, max=3600, help="Seconds a cohort waits for its members.")
    ] = 120.0,
    system_thinking: Annotated[bool, typer.Option(help="Must a reply open with system thinking?")] = True,
    min_words: Annotated[int, typer.Option(min=0)] = 0,
    max_words: Annotated[int, typer.Option(min=1, help="Most words of thought, action and speech together.")] = 160,
    out: Annotated[Path, typer.Option(help="Where the ledger of judge calls is kept.")] = Path("runs/reward"),
    host: Annotated[str, typer.Option(help="Where to listen; beyond the loopback only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8100,
    api_key_env: Annotated[str | None, typer.Option(help="The environment variable that holds the key.")] = None,
) -> None:
    """Score groups of replies for a trainer elsewhere: whole groups, or members that name their cohort."""
    from her.llm import Ledger
    from her.reward import GateConfig, GroupReward, load_pack
    from her.reward.names import open_judge
    from her.reward.score import read_schedule
    from her.reward.service import Cohorts, Scoring
    from her.serve.carrier import create_carrier
    from her.serve.run import listen, serve_forever
    from her.serve.settings import ServeSettings

    if judge.startswith("control:"):
        raise ConfigError("a control is there to be beaten, never to reward; name a judge")
    config = read_schedule(schedule)
    settings = ServeSettings(host=host, port=port, api_key=key_of(api_key_env), max_body_bytes=32 << 20)
    socket = listen(settings)
    with Ledger(out / "ledger.sqlite") as ledger:
        opened = open_judge(
            judge, None if pack is None else load_pack(pack), ledger=ledger, stage="reward", swap_average=False
        )
        gates = GateConfig(system_thinking=system_thinking, min_words=min_words, max_words=max_words)
        cohorts = Cohorts(GroupReward(opened, gates=gates, config=config), deadline_s=deadline)
        scoring = Scoring(cohorts, judge=opened.name, ledger=ledger, stage="reward")
        posts = {"/v1/groups": scoring.groups, "/v1/members": scoring.members}
        app = create_carrier(posts, {"/v1/tally": scoring.tally}, settings, close=scoring.close)
        say_open(f"scoring with {opened.name}, {schedule}", settings)
        serve_forever(app, socket)
