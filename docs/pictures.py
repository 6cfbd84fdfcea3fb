"""`make pictures`: screenshots of the running stack's Dagster pages, as docs/dagster-*.png.

The stack must be up and have lived for some weeks: the pictures show what it holds. `make pictures ONLY=graph` takes one.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chromium import browsing

from everfit.errors import EverfitError
from everfit.settings import Settings

FOLDER = Path(__file__).parent
MODEL = "electricity_price"


@dataclass(frozen=True, slots=True)
class Picture:
    """A page of Dagster: its name, its path, the words that show that it has loaded, and its size in pixels.

    ``click`` is JavaScript that is run once they are there.
    """

    name: str
    path: str
    words: Sequence[str]
    width: int = 1400
    height: int = 800
    click: str = ""


PICTURES = [
    Picture("graph", f"/locations/everfit/asset-groups/{MODEL}/lineage", ["champion", "raw_data"]),
    Picture("asset", f"/assets/{MODEL}/trained_model?view=overview", ["Latest materialization"], height=1200),
    Picture("plots", f"/assets/{MODEL}/trained_model?view=events", ["Metadata"], height=1000),
    Picture("checks", f"/assets/{MODEL}/champion?view=checks", ["drift"]),
    Picture("automation", "/automation", ["prediction_log"]),
    Picture("backfills", "/runs?view=backfills", ["Backfills"]),
]


def main(wanted: Sequence[str]) -> int:
    """Take those that are named, or all; 1 where one cannot be taken."""
    try:
        dagster = Settings.load().dagster
        with browsing() as page:
            for picture in PICTURES:
                if not wanted or picture.name in wanted:
                    page.open(dagster + picture.path, picture.width, picture.height)
                    page.await_words(picture.words)
                    page.evaluate(picture.click)
                    file = FOLDER / f"dagster-{picture.name}.png"
                    file.write_bytes(page.still())
                    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
    except EverfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
