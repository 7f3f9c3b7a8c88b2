"""The builder: no secret in a prompt, no exam in training, every plan on its own turn, every target accounted for."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.data.account import PROMPTS, SAMPLES, Assigned, BuildConfig, Built, Exposed, Rejected
from her.data.build import build, read_built
from her.data.gains import GainRule, gain_gate
from her.data.hold_out import HeldOut
from her.data.imports import import_dialogues
from her.data.purposes import PURPOSES, Group, Shares, deals, group_of, purpose_of, read_shares
from her.data.samples import SampleRule, places
from her.errors import InputError
from her.renderers import Encoded, encode, render_turn
from her.schema import (
    ENVIRONMENT,
    Character,
    Dialogue,
    Gain,
    HistoryPolicy,
    Part,
    RLPrompt,
    Scene,
    SFTSample,
    Turn,
)
from her.store import read_jsonl, sha256_file, write_jsonl

EVEN = Shares(sft=0.3, judge_sft=0.15, judge_rl=0.15, policy_rl=0.1, valid=0.15, test=0.15)
NAMES = ("Ada", "Boris", "Clara")


def dialogue(
    ident: str, book: str | None = "mill", speakers: Sequence[int] = (0, 1, 3, 0, 2, 1), plans: int = 0b111111
) -> Dialogue:
    """Every hidden text says whose it is and of which turn, so that it is known wherever it turns up."""

    def turn(i: int, who: int) -> Turn:
        name = (*NAMES, ENVIRONMENT)[who]
        spoken = Part(kind="speech", text=f"spoken {ident} {i} by {name} and then some more words {i} of {ident}")
        thought = Part(kind="thought", text=f"thought {ident} {i} {name}")
        action = Part(kind="action", text=f"acted {ident} {i}")
        plan = f"plan {ident} {i} {name}" if plans >> i & 1 and name != ENVIRONMENT else None
        parts = (action,) if name == ENVIRONMENT else (thought, action, spoken)
        return Turn(id=f"t{i:03d}", speaker=name, system_thinking=plan, parts=parts)

    cast = tuple(
        Character(name=n, profile=f"who {n} is", background=f"past {ident} {n}", motivation=f"motive {ident} {n}")
        for n in NAMES
    )
    scene = Scene(id=ident, book_id=book, chapter=None, scenario=f"Where {ident} is.", characters=cast)
    turns = tuple(turn(i, who) for i, who in enumerate(speakers))
    return Dialogue(id=ident, scene=scene, turns=turns, provenance="teacher")


def made(folder: Path, dialogues: Sequence[Dialogue], *, config: BuildConfig, hold: Sequence[Dialogue] = ()) -> Built:
    write_jsonl(folder / "in.jsonl", dialogues)
    holds = []
    if hold:
        write_jsonl(folder / "hold.jsonl", hold)
        holds = [folder / "hold.jsonl"]
    return build([folder / "in.jsonl"], out=folder / "out", config=config, hold_outs=holds)


def samples(folder: Path, *purposes: str) -> list[SFTSample]:
    names = [n for p, n in SAMPLES.items() if (not purposes or p in purposes) and (folder / n).is_file()]
    return [s for n in names for s in read_jsonl(folder / n, SFTSample)]


def prompts(folder: Path) -> list[RLPrompt]:
    return [p for n in PROMPTS.values() if (folder / n).is_file() for p in read_jsonl(folder / n, RLPrompt)]


class Letters:
    """A tokenizer with a token for each character."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [ord(c) for c in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(i) for i in ids)

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: object) -> str:
        text = "".join(f"[{m['role']}]{m['content']}\u0004" for m in conversation)
        return text + "[assistant]" if options["add_generation_prompt"] else text


def holds(folder: Path, built: Built, dialogues: Sequence[Dialogue]) -> None:
    """What must be true of any build."""
    source = {d.id: d for d in reversed(dialogues)}
    uses = read_jsonl(folder / "purposes.jsonl", Assigned)
    held = {h.dialogue_id for h in read_jsonl(folder / "held_out.jsonl", HeldOut)}
    purpose = {u.dialogue_id: u.purpose for u in uses}
    rule = built.config.rule
    assert len(purpose) == len(uses)
    assert not held & set(purpose)
    assert held | set(purpose) == set(source)
    by_group: dict[str, set[str]] = {}
    for use in uses:
        by_group.setdefault(use.group, set()).add(use.purpose)
    assert all(len(found) == 1 for found in by_group.values())

    for s in samples(folder):
        d = source[s.dialogue_id]
        turn = d.turn(s.turn_id)
        assert SAMPLES[purpose[d.id]] in SAMPLES.values()
        assert s.split == {"sft": "train"}.get(purpose[d.id], purpose[d.id])
        # The plan is the turn's own, by its id.
        assert s.target == render_turn(turn, system_thinking=rule.system_thinking)
        assert (turn.system_thinking is not None and turn.system_thinking in s.target) == rule.system_thinking
        # The mask is the target, and the target the mask.
        got = encode(s, Letters(), max_tokens=10**9)
        assert isinstance(got, Encoded)
        assert Letters().decode([label for label in got.labels if label != -100]) == f"{s.target}\u0004"
    for p in [*samples(folder), *prompts(folder)]:
        d = source[p.dialogue_id]
        shown = "\n".join(m.content for m in p.messages)
        after = d.turns[d.turns.index(d.turn(p.turn_id)) :]
        for t in d.turns:
            own = t.speaker == p.character
            plan_shown = own and rule.history_policy == "keep_own_system" and t not in after
            assert t.system_thinking is None or plan_shown or t.system_thinking not in shown
            for part in t.parts:
                secret = (part.kind == "thought" and not own) or t in after
                assert not secret or part.text not in shown
        for c in d.scene.characters:
            for field in (c.background, c.motivation):
                assert c.name == p.character or not field or field not in shown

    # No conversation of the exam, and none like it, is learnt from.
    trained = {i for i, use in purpose.items() if use not in ("valid", "test")}
    scenes = {source[i].scene.id for i in trained}
    assert not scenes & {source[i].scene.id for i in set(purpose) - trained}
    for name, count in built.files.items():
        kind: type[SFTSample] | type[RLPrompt] = SFTSample if name in SAMPLES.values() else RLPrompt
        kept = read_jsonl(folder / name, kind)
        targets = [place.id for i, use in purpose.items() if use == count.purpose for place in places(source[i])]
        left = [r.id for r in read_jsonl(folder / "rejects.jsonl", Rejected) if r.file == name]
        assert sorted([s.id for s in kept] + left) == sorted(targets)
        assert (count.kept, count.targets, sum(count.left.values())) == (len(kept), len(targets), len(left))
        assert count.sha256 == sha256_file(folder / name)


DRAWN = st.lists(
    st.tuples(
        st.sampled_from(["mill", "tower", None]),
        st.lists(st.integers(0, 3), min_size=1, max_size=7),
        st.integers(0, 127),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(DRAWN, st.booleans(), st.booleans(), st.integers(0, 5), st.integers(0, 2))
def test_no_secret_in_a_prompt_and_no_exam_in_training(
    drawn: list[tuple], system_thinking: bool, keep: bool, seed: int, held: int
) -> None:
    dialogues = [dialogue(f"d{k}", *d) for k, d in enumerate(drawn)]
    policy: HistoryPolicy = "keep_own_system" if keep else "drop_own_system"
    rule = SampleRule(system_thinking=system_thinking, history_policy=policy, flags="keep")
    config = BuildConfig(rule=rule, shares=EVEN, seed=seed)
    hold = [d.model_copy(update={"scene": d.scene.model_copy(update={"book_id": None})}) for d in dialogues[:held]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            built = made(folder, dialogues, config=config, hold=hold)
        except InputError:
            assert not (folder / "out").exists()
            return
        holds(folder / "out", built, dialogues)
        found = {h.dialogue_id for h in read_jsonl(folder / "out" / "held_out.jsonl", HeldOut)}
        assert {d.id for d in hold if any(t.speech() for t in d.turns)} <= found
        assert read_built(folder / "out") == built


def test_a_real_play(tmp_path: Path, shared_data: Path) -> None:
    """Every turn of the play gets a plan that names it; then all of the above, with the test set held out."""
    path = tmp_path / "lear.jsonl"
    import_dialogues(shared_data / "coser" / "king-lear.full.json", format="coser", out=path)

    def planned(turn: Turn, ident: str) -> Turn:
        plan = None if turn.speaker == ENVIRONMENT else f"plan of {ident} {turn.id}"
        return turn.model_copy(update={"system_thinking": plan})

    play = [
        d.model_copy(update={"turns": tuple(planned(t, d.id) for t in d.turns)}) for d in read_jsonl(path, Dialogue)
    ]
    write_jsonl(path, play)
    cases = shared_data / "coser" / "test_set_sample.json"
    import_dialogues(cases, format="coser-raw", out=tmp_path / "cases.jsonl")
    for thinking in (True, False):
        config = BuildConfig(rule=SampleRule(system_thinking=thinking), shares=EVEN, seed=1)
        out = tmp_path / f"out{thinking}"
        built = build([path, tmp_path / "cases.jsonl"], out=out, config=config, hold_outs=[cases])
        holds(out, built, [*play, *read_jsonl(tmp_path / "cases.jsonl", Dialogue)])
        assert built.held_out == {"title": 18}
        assert sum(d.targets for d in built.purposes.values()) == sum(len(list(places(d))) for d in play)
        assert [e.title for e in read_jsonl(out / "contamination.jsonl", Exposed)] == ["King Lear"]


def test_the_same_inputs_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    dialogues = [dialogue(f"d{k}") for k in range(12)]
    for name in ("one", "two"):
        made(tmp_path / name, dialogues, config=BuildConfig(shares=EVEN))
    assert sha256_file(tmp_path / "one" / "out") == sha256_file(tmp_path / "two" / "out")
    made(tmp_path / "two", dialogues, config=BuildConfig(shares=EVEN))
    assert sha256_file(tmp_path / "one" / "out") == sha256_file(tmp_path / "two" / "out")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.permutations(range(9)), st.integers(1, 8), st.sampled_from(get_args(Group)), st.integers(0, 9))
def test_adding_a_conversation_moves_no_other(order: list[int], first: int, by: Group, seed: int) -> None:
    everything = [dialogue(f"d{k}", f"book {k % 5}") for k in range(9)]

    def uses(dialogues: list[Dialogue]) -> dict[str, str]:
        with tempfile.TemporaryDirectory() as name:
            config = BuildConfig(shares=EVEN, by=by, seed=seed)
            made(Path(name), dialogues, config=config)
            return {u.dialogue_id: u.purpose for u in read_jsonl(Path(name) / "out" / "purposes.jsonl", Assigned)}

    whole = uses(everything)
    some = uses([everything[k] for k in order[:first]])
    assert some.items() <= whole.items()


def test_shares_are_met_over_many_books() -> None:
    drawn = Counter(purpose_of(f"book:{k}", seed=3, shares=EVEN) for k in range(5000))
    assert all(abs(drawn[p] / 5000 - EVEN.of(p)) < 0.02 for p in PURPOSES)
    more = Shares(sft=0.25, judge_sft=0.2, judge_rl=0.15, policy_rl=0.1, valid=0.15, test=0.15)
    moved = sum(
        purpose_of(f"book:{k}", seed=3, shares=EVEN) != purpose_of(f"book:{k}", seed=3, shares=more)
        for k in range(5000)
    )
    assert moved / 5000 < 0.07, "what one share gains, its neighbour alone loses"


def test_whole_books_where_there_are_enough(tmp_path: Path) -> None:
    assert deals(read_shares("sft=0.9,test=0.1"), 49) == "conversation"
    assert deals(read_shares("sft=0.9,test=0.1"), 50) == "book"
    dialogues = [dialogue(f"d{k}", f"Book number {chr(97 + k % 12)}{k % 12}") for k in range(36)]
    built = made(tmp_path, dialogues, config=BuildConfig(shares=read_shares("sft=0.5,test=0.5")))
    assert (built.by, built.books) == ("book", 12)
    uses = read_jsonl(tmp_path / "out" / "purposes.jsonl", Assigned)
    assert len({(u.book, u.purpose) for u in uses}) == 12
    assert sum(d.books for d in built.purposes.values()) == 12


def test_editions_and_accounts_stay_together() -> None:
    one, two = dialogue("a", "x"), dialogue("b", "x")
    assert group_of(one, "Moby-Dick or, The Whale", "book") == group_of(two, "Moby Dick (Annotated)", "book")
    account = dialogue("a", "x").model_copy(update={"id": "a:ada"})
    assert group_of(one, None, "conversation") == group_of(account, None, "conversation")
    assert group_of(one, None, "conversation") != group_of(two, None, "conversation")


@pytest.mark.parametrize(
    ("text", "says"),
    [("sft=0.5", "add up to 1, these to 0.5"), ("sft=1,fun=0", "'fun' is no purpose"), ("sft", "not like"),
     ("sft=x", "not like"), ("sft=2,test=-1", "not negative")],
)  # fmt: skip
def test_shares_that_are_none(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_shares(text)


def test_a_near_copy_of_the_exam_is_not_trained_on(tmp_path: Path) -> None:
    """Another edition, under a title that no rule could know."""
    shares = read_shares("sft=0.7,test=0.3")
    first = [dialogue(f"d{k}", f"book {k}") for k in range(12)]
    purpose = {d.id: purpose_of(group_of(d, d.scene.book_id, "conversation"), seed=0, shares=shares) for d in first}
    tested = next(d for d in first if purpose[d.id] == "test")
    copies = [
        tested.model_copy(
            update={"id": f"c{k}", "scene": tested.scene.model_copy(update={"id": f"c{k}", "book_id": f"odd {k}"})}
        )
        for k in range(12)
    ]
    built = made(tmp_path, [*first, *copies], config=BuildConfig(shares=shares, by="conversation"))
    leaks = read_jsonl(tmp_path / "out" / "held_out.jsonl", HeldOut)
    uses = {u.dialogue_id: u.purpose for u in read_jsonl(tmp_path / "out" / "purposes.jsonl", Assigned)}
    assert {uses.get(c.id, "out") for c in copies} == {"test", "out"}
    assert {leak.reason for leak in leaks} == {"near_own_test"}
    assert built.held_out == {"near_own_test": len(leaks)}
    assert all(leak.likeness is not None and leak.likeness.jaccard == 1 for leak in leaks)


def test_an_id_that_was_taken_is_counted(tmp_path: Path) -> None:
    built = made(
        tmp_path,
        [dialogue("a"), dialogue("b"), dialogue("a", "other")],
        config=BuildConfig(shares=read_shares("sft=1")),
    )
    assert built.duplicates == 1
    assert [(r.id, r.reason) for r in read_jsonl(tmp_path / "out" / "rejects.jsonl", Rejected)] == [
        ("a", "duplicate_id")
    ]
    assert {s.dialogue_id for s in samples(tmp_path / "out")} == {"a", "b"}


def with_gains(source: Dialogue, *, scorer: str = "s") -> Dialogue:
    def gained(turn: Turn) -> Turn:
        value = (hash((turn.id, len(source.id) + ord(source.id[-1]))) % 7) / 7
        gain = Gain(layer="thought", scorer=scorer, tokens=5, given=0, without=0, shuffled=0, copied=0, value=value)
        return turn.model_copy(update={"gains": (gain,)}) if turn.id != "t004" else turn

    return source.model_copy(update={"turns": tuple(gained(t) for t in source.turns)})


@pytest.mark.parametrize(
    "rule", [GainRule(least=0.4), GainRule(top=0.3), GainRule(top=0.5, least=0.2, seed=4), GainRule(top=1.0)]
)
def test_only_thoughts_that_earned_their_place(tmp_path: Path, rule: GainRule) -> None:
    dialogues = [with_gains(dialogue(f"d{k}")) for k in range(20)]
    shares = read_shares("sft=0.6,valid=0.2,test=0.2")
    built = made(tmp_path, dialogues, config=BuildConfig(shares=shares, gain=rule))
    mine = [d for d in dialogues if purpose_of(group_of(d, "mill", "conversation"), seed=0, shares=shares) == "sft"]
    targets = [p for d in mine for p in places(d)]
    # On disk as in memory.
    gate = gain_gate(rule, [(p.id, g) for p in targets if (g := rule.gain(p.turn)) is not None])
    wanted = {p.id for p in targets if gate.refusal(p.id, rule.gain(p.turn)) is None}
    assert {s.id for s in samples(tmp_path / "out", "sft")} == wanted
    assert built.files["sft.jsonl"].left["no_gain"] == len(mine)
    assert not {"no_gain", "below_min_gain", "below_top_gain"} & set(built.files["test.jsonl"].left)


def test_gains_of_two_scorers_cannot_be_ranked(tmp_path: Path) -> None:
    dialogues = [with_gains(dialogue(f"d{k}"), scorer=f"s{k % 2}") for k in range(6)]
    with pytest.raises(InputError, match="2 scorers"):
        made(tmp_path, dialogues, config=BuildConfig(shares=read_shares("sft=1"), gain=GainRule(top=0.5)))


def test_a_bad_line_stops_the_build_and_nothing_is_written(tmp_path: Path) -> None:
    good = dialogue("a").model_dump_json()
    (tmp_path / "in.jsonl").write_text(f"{good}\n{good[:-30]}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"in\.jsonl:2: not a Dialogue"):
        build([tmp_path / "in.jsonl"], out=tmp_path / "out", config=BuildConfig())
    (tmp_path / "in.jsonl").write_text(good.replace('"speaker":"Ada"', '"speaker":7', 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"in\.jsonl:1: not a Dialogue: .* at 'turns\.0\.speaker'"):
        build([tmp_path / "in.jsonl"], out=tmp_path / "out", config=BuildConfig())
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]
    with pytest.raises(InputError, match="no such file"):
        build([tmp_path / "none.jsonl"], out=tmp_path / "out", config=BuildConfig())


def test_another_s_folder_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        made(tmp_path, [dialogue("a")], config=BuildConfig(shares=read_shares("sft=1")))
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]


def test_a_second_build_leaves_no_file_of_the_first(tmp_path: Path) -> None:
    dialogues = [dialogue(f"d{k}") for k in range(4)]
    made(tmp_path, dialogues, config=BuildConfig(shares=EVEN))
    assert (tmp_path / "out" / "judge_rl.jsonl").is_file()
    made(tmp_path, dialogues, config=BuildConfig(shares=read_shares("sft=1")))
    assert not (tmp_path / "out" / "judge_rl.jsonl").exists()


def test_a_limit_needs_a_tokenizer(tmp_path: Path) -> None:
    config = BuildConfig(rule=SampleRule(max_tokens=10))
    with pytest.raises(InputError, match="--tokenizer"):
        made(tmp_path, [dialogue("a")], config=config)
