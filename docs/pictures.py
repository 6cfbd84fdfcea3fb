"""`make pictures`: screenshots of the running stack's Dagster pages, as docs/dagster-*.png.

The stack must be up and have lived for some weeks: the pictures show what it holds. `make pictures ONLY=checks` takes one.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chromium import browsing

from everfit.environment.settings import Settings
from everfit.errors import EverfitError

FOLDER = Path(__file__).parent
MODEL = "electricity_price"


@dataclass(frozen=True, slots=True)
class Picture:
    """A page of Dagster: its name, its path, the words that show that it has loaded, and its size in pixels.

    Once they are there, ``key`` is pressed with Alt (Dagster's pages have shortcuts), or what says ``click`` is clicked.
    """

    name: str
    path: str
    words: Sequence[str]
    width: int = 1300
    height: int = 800
    key: str = ""
    click: str = ""


PICTURES = [
    Picture("graphs", "/asset-groups", [MODEL], 1400, 690, key="KeyE"),
    Picture("plots", f"/assets/{MODEL}/trained_model?view=overview", ["MLflow run"], height=1100, click="Plots"),
    Picture("evaluation", f"/assets/{MODEL}/evaluation?view=overview", ["winner", "findings"], 1500, 1440),
    Picture("automation", "/automation", ["prediction_log"], height=480),
    Picture("checks", f"/assets/{MODEL}/champion?view=checks&checkDetail=drift", ["Evaluation result"], height=950),
    Picture("backfill", f"/runs?q[0]=tag%3Aeverfit%2Fbackfill%3D{MODEL}", ["Success"], height=600),
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
                    page.still()
                    if picture.key:
                        page.press(picture.key)
                    if picture.click:
                        page.click(picture.click)
                    file = FOLDER / f"dagster-{picture.name}.png"
                    file.write_bytes(page.still())
                    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
    except EverfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
