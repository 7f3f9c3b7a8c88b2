"""`her serve`: an OpenAI-compatible server over one model."""

from typing import Annotated

import typer

from her.cli.door import key_of, say_open
from her.errors import ConfigError


def serve(
    model: Annotated[str, typer.Option(help="Who plays: run:DIR, local:NAME, openai:MODEL@URL, scripted:FILE.")],
    host: Annotated[str, typer.Option(help="Where to listen; beyond the loopback only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    api_key_env: Annotated[str | None, typer.Option(help="The environment variable that holds the key.")] = None,
    scene: Annotated[str | None, typer.Option(help="A scene of the shipped story: serve --character in it.")] = None,
    character: Annotated[
        str | None, typer.Option(help="Whom the model plays. Without --scene: in prompts that clients bring.")
    ] = None,
    as_: Annotated[str | None, typer.Option("--as", help="Who a client is in the scene, unless it says.")] = None,
    allow_system_thinking: Annotated[bool, typer.Option(help="Let clients ask for the model's plan.")] = False,
    allow_origin: Annotated[list[str] | None, typer.Option(help="A web page that may call from a browser.")] = None,
    eager: Annotated[bool, typer.Option(help="Words as they come, before it is certain they are no thought.")] = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="The most a client may ask for.")] = 1024,
) -> None:
    """Serve a model to any OpenAI client: SillyTavern, the openai library, curl."""
    from her.cli.scenes import known_scenes
    from her.llm import open_model
    from her.serve.app import create_app
    from her.serve.casting import find_scene, ways_of
    from her.serve.run import listen, serve_forever
    from her.serve.session import companion
    from her.serve.settings import ServeSettings

    if scene is not None and character is None:
        raise ConfigError("--scene needs --character: whom does the model play?")
    place = find_scene(known_scenes(model), scene, character) if scene is not None and character is not None else None
    ways = ways_of(model)
    settings = ServeSettings(
        host=host,
        port=port,
        api_key=key_of(api_key_env),
        allow_system_thinking=allow_system_thinking,
        allowed_origins=tuple(allow_origin or ()),
        scene=place,
        character=character,
        user=as_ or (companion(place, character) if place is not None and character is not None else "Stranger"),
        history_policy=ways.history_policy,
        system_thinking=ways.system_thinking,
        eager=eager,
        max_tokens=max_tokens,
    )
    socket = listen(settings)
    app = create_app(open_model(model), settings)
    who = f"{character} in scene {place.id}" if place is not None else "prompts that clients bring"
    say_open(f"serving {model} as {who}", settings)
    serve_forever(app, socket)
