"""What evidence of regret shows about a champion since its promotion, and what it shows nothing of."""

from collections.abc import Sequence
from dataclasses import dataclass

from everfit.declaration.retraining import REGRET, Finding
from everfit.policy.stakes import Stakes, stakes

GONE = 2  # windows in a row without a comparator: there is none to be had


@dataclass(frozen=True, slots=True)
class Watch:
    """The findings of regret on a champion, oldest first: each window that is scored, and those ``missing`` after the last."""

    scored: Sequence[Finding]
    missing: Sequence[Finding]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> "Watch":
        """Those among a champion's findings."""
        found = sorted((finding for finding in findings if finding.kind == REGRET), key=lambda finding: finding.end)
        is_scored = [_is_scored(each) for each in found]
        scored = {str(each.detail.get("scored")): each for each, there in zip(found, is_scored, strict=True) if there}
        last = max((place for place, there in enumerate(is_scored) if there), default=-1)
        return cls([*scored.values()], found[last + 1 :])

    @property
    def stakes(self) -> Stakes:
        """What the champion has lost against fresh models, and what lies ahead."""
        return stakes((each.detail["weeks"], each.detail["champion"] - each.detail["comparator"]) for each in self.scored)

    @property
    def weeks(self) -> float:
        """How long the champion was watched."""
        return float(sum(each.detail["weeks"] for each in self.scored))

    @property
    def level(self) -> float:
        """The fresh models' mean metric since the promotion, as a loss."""
        return float(sum(each.detail["weeks"] * each.detail["comparator"] for each in self.scored) / self.weeks)

    @property
    def is_blind(self) -> bool:
        """Whether the newest windows had no comparator, for so long that there is none to be had."""
        newest = self.missing[-GONE:]
        return len(newest) == GONE and all(
            each.detail.get("missing") == "comparator" or each.detail.get("unjudged") for each in newest
        )


def _is_scored(finding: Finding) -> bool:
    """Whether both were scored over some time; a lone row stands for none."""
    figures = finding.detail
    return finding.verdict == "ok" and figures.keys() >= {"champion", "comparator", "weeks"} and figures["weeks"] > 0
