"""The rating page: one file that a rater opens from disk. It asks no network, and keeps what was rated in the browser.

Owns what is handed to the template. Nothing here knows whose a dialogue is: it is given a packet, never a key.
"""

from pathlib import Path

from her.evals.benchmarks.rating.ballot import FORMAT
from her.evals.benchmarks.rating.form import ANCHORS, LEAST
from her.evals.benchmarks.rating.packet import Packet
from her.evals.page import render_page
from her.store import write_text

_HERE = "benchmarks/rating"


def write_rating_page(packet: Packet, path: Path) -> None:
    """Write the page, whole or not at all."""
    html = render_page(
        f"{_HERE}/rate.html.j2",
        title="Rating dialogues",
        contents=(),
        plots={},
        styles=(f"{_HERE}/rate.css",),
        script=f"{_HERE}/rate.js.j2",
        packet=packet,
        format=FORMAT,
        anchors=tuple(enumerate(ANCHORS, start=LEAST)),
    )
    write_text(path, html)
