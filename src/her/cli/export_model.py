"""`her export model`: a trained policy for everyone else: safetensors, GGUF, a card with its numbers, a vLLM parser."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

PARSER = "her_reasoning.py"


def model(
    run: Annotated[Path, typer.Argument(help="A run, or the model folder inside one.")],
    out: Annotated[Path, typer.Option(help="The folder to write; one that `her export model` wrote is replaced.")],
    gguf: Annotated[bool, typer.Option("--gguf", help="Write model.gguf for llama.cpp, too.")] = False,
) -> None:
    """Merge a trained adapter into its base: safetensors, tokenizer and chat template, a card, a parser for vLLM."""
    from her.cli.model_card import card_text
    from her.errors import StoreError
    from her.llm import describe, load_trained, weights
    from her.store import write_text
    from her.train.checkpoint import replaced
    from her.train.merge import merge
    from her.train.model_gguf import write_gguf

    trained = load_trained(run)
    peft = trained.peft_folder()
    if peft is None:
        raise StoreError(f"{trained.folder} holds no PEFT adapter, so there is nothing to merge; train it again")
    if out.exists() and not (out / PARSER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} is there and not an exported model; name another --out")
    card = card_text(trained, licence=describe(trained.card.base).licence, gguf=gguf)
    with replaced(out) as folder:
        merge(weights(trained.card.base), peft, folder)
        if gguf:
            write_gguf(folder, folder / "model.gguf")
        write_text(folder / "README.md", card)
        parser = (resources.files("her.serve") / "vllm_plugin.py").read_text(encoding="utf-8")
        write_text(folder / PARSER, parser)
    for path in sorted(p for p in out.iterdir() if p.is_file()):
        typer.echo(f"{path.stat().st_size / 1e6:9.1f} MB  {path.name}")
    typer.echo(f"then, where vLLM and her are installed: vllm serve {out} --reasoning-parser her \\")
    typer.echo(f"    --reasoning-parser-plugin {out / PARSER}")
