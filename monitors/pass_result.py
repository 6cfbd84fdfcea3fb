"""What a pass over the log did."""

from dataclasses import dataclass, field

from everfit.store.judgements import Judgement
from everfit.store.log import Written


@dataclass(slots=True)
class PassResult:
    """What a pass read, judged and requested, by model where it is a mapping."""

    predictions: dict[str, int] = field(default_factory=dict)  # rows read
    outcomes: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)  # of the predictions that were new
    dead_letters: int = 0
    judgements: list[Judgement] = field(default_factory=list)
    requested: bool = False
    crowned: list[str] = field(default_factory=list)  # models to which a rollout has given another champion
    lag: int = field(default=0, compare=False)  # records of the log that were not read when it ended
    seconds: float = field(default=0.0, compare=False)  # from the first record read to the last

    @property
    def records(self) -> int:
        """How many were read, of all kinds."""
        return sum(self.predictions.values()) + sum(self.outcomes.values()) + self.dead_letters

    def count(self, written: Written) -> None:
        """Add what became of a batch."""
        for arrived in written.arrived:
            self.predictions[arrived.model] = self.predictions.get(arrived.model, 0) + arrived.rows
        for model, rows in written.outcomes.items():
            self.outcomes[model] = self.outcomes.get(model, 0) + rows
        for stored in written.stored:
            if stored.late:
                self.late[stored.model] = self.late.get(stored.model, 0) + stored.late
        self.dead_letters += written.dead
