"""The command line: the one place that knows every room. It wires them and decides nothing.

A `HerError` is printed as one message (what, where, what next) and becomes its exit code; anything else is a bug and
keeps its traceback. Ctrl-C is 130; what was finished stays, and the same command goes on from there.
"""

import os
import sys

from her.errors import HerError

__all__ = ["main"]
_STOPPED = 130


def main() -> None:
    """Entry point of `her`."""
    from rich.console import Console

    from her.cli.commands import app

    # Threads that wait by spinning starve whatever else runs; on two cores that costs more than waking them does.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    problems = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        # The parser hands back the code of `typer.Exit`, into which it also turns Ctrl-C.
        code = app(standalone_mode=False)
    except HerError as e:
        problems.print(f"error: {e}", markup=False, style="red")
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        code = _STOPPED
    except BrokenPipeError:
        sys.exit(141)
    except Exception as e:
        code = _usage(e, problems)
        if code is None:
            raise
    if code == _STOPPED:
        problems.print("stopped; what is finished is kept, and the same command goes on from there", style="yellow")
    if isinstance(code, int) and code:
        sys.exit(code)


def _usage(e: Exception, problems: object) -> int | None:
    """The exit code of a complaint of the command-line parser, which prints itself; None for anything else."""
    show, code = getattr(e, "show", None), getattr(e, "exit_code", None)
    if not isinstance(code, int):
        return None
    if callable(show):
        show()
    return code
