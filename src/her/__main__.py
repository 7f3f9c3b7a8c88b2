"""`python -m her`: the command line. Under a launcher of several processes, all but the first only train along."""

import os
import sys

from her.cli import main


def together() -> None:
    """This process's part of `accelerate launch -m her ...`."""
    from her.train.following import follow
    from her.train.processes import join, leave

    here = join()
    if here.first:
        main()
    else:
        try:
            follow()
        except RuntimeError as e:
            if "peer" not in str(e):  # gloo: connection closed, or reset, by peer
                raise
            sys.exit(f"process {here.rank}: the first process is gone; run the same again: it goes on")
    leave()


if __name__ == "__main__":
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        together()
    else:
        main()
