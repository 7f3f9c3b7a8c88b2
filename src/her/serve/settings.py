"""ServeSettings: where the server listens, who may call it, and what it may show.

Owns the rule that nothing but the loopback is opened without a key. Vendors' servers that bound every interface
without one were found on the open internet by the hundred thousand; here that start is refused.
"""

import ipaddress
from dataclasses import dataclass, field

from her.errors import ConfigError
from her.schema import HistoryPolicy, Scene

MIN_OPEN_KEY = 16
"""Characters a key must have before the server listens beyond the loopback."""
_SHOW_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Everything a server is told before it starts. `api_key` is kept out of `repr`, and so out of logs."""

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = field(default=None, repr=False)
    allow_system_thinking: bool = False
    allowed_origins: tuple[str, ...] = ()
    """Web pages that may call from a browser; none by default."""
    scene: Scene | None = None
    character: str | None = None
    """With a scene: a persona server. Without: clients bring the system prompt; this, if set, is whom it is about."""
    user: str = "Stranger"
    """Who the client is in a persona's scene, unless it names itself."""
    history_policy: HistoryPolicy = "drop_own_system"
    system_thinking: bool = True
    eager: bool = False
    """Send words before it is certain that no lost opening tag made them a thought (see `renderers.stream`)."""
    max_tokens: int = 1024
    """What a client may ask for at most, and gets if it does not ask."""
    thinking_tokens: int = 512
    """Added to a client's `max_tokens` where the model thinks first: clients count what they can see."""
    max_body_bytes: int = 1 << 20
    max_messages: int = 512
    max_running: int = 8
    """Replies in the making at one time; one more is told to come back."""

    def __post_init__(self) -> None:
        if not self.loopback and self.api_key is None:
            raise ConfigError(
                f"refusing to listen on {self.host} without a key: anyone who reaches it could use the model; "
                f"set one ({_SHOW_KEY}) and name its variable with --api-key-env, or stay on 127.0.0.1"
            )
        if self.api_key is not None and (not self.api_key.isascii() or not self.api_key.isprintable()):
            raise ConfigError("the API key has characters that no HTTP header can carry; use ASCII letters and digits")
        if not self.loopback and self.api_key is not None and len(self.api_key) < MIN_OPEN_KEY:
            raise ConfigError(
                f"the key is shorter than {MIN_OPEN_KEY} characters, too short for {self.host}; "
                f"make one with {_SHOW_KEY}"
            )
        for origin in self.allowed_origins:
            if origin in {"*", "null"} or not origin.startswith(("http://", "https://")):
                raise ConfigError(f"--allow-origin takes one origin such as http://localhost:8080, not {origin!r}")
        if self.scene is not None and self.character is None:
            raise ConfigError("a persona server needs a character as well as a scene: whom does the model play?")
        if self.scene is not None and self.character not in self.scene.names():
            cast = ", ".join(self.scene.names())
            raise ConfigError(f"{self.character!r} is not in scene {self.scene.id!r}; choose one of: {cast}")

    @property
    def loopback(self) -> bool:
        """Does the host name this machine alone? A name other than `localhost` is not trusted to."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def hosts(self) -> frozenset[str] | None:
        """What the Host header may say. None where any may: beyond the loopback the key is the guard."""
        if not self.loopback:
            return None
        names = {"localhost", "127.0.0.1", "[::1]", f"[{self.host}]" if ":" in self.host else self.host}
        bare = names if self.port == 80 else set()
        return frozenset({f"{name}:{self.port}" for name in names} | bare)
