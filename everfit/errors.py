"""The errors of everfit, one class per condition, under one root.

Every message says what was wrong, with which value, and what to do. The command line prints the message and exits 1;
it never prints a traceback for one of these.
"""


class EverfitError(Exception):
    """The root of everything that everfit raises on purpose."""


class DeclarationError(EverfitError, ValueError):
    """A model's declaration is malformed, or its parts contradict each other."""


class UnknownModelError(EverfitError, LookupError):
    """No model of that name is declared."""


class RequestError(EverfitError, ValueError):
    """A request to serving has missing, unknown or ill-typed fields."""


class SourceError(EverfitError, ValueError):
    """Rows of a source do not fit its declared columns, types or bounds."""


class RecipeError(EverfitError, TypeError):
    """A recipe's fit returns what cannot predict, or cannot be exported."""


class MetricError(EverfitError, ValueError):
    """A metric of the user's fails, or gives something else than a finite loss for each row."""


class UndefinedMetricError(MetricError):
    """A metric has no value on these rows, such as AUC where all outcomes are alike; others may give one."""


class FeatureError(EverfitError, ValueError):
    """Rows for a model lack one of its features, or have it with a wrong type."""


class EmptyPartitionError(EverfitError):
    """Nothing has landed on a requested partition."""


class BackfillError(EverfitError, ValueError):
    """The requested days or assets cannot be made."""


class EvidenceError(EverfitError, TypeError):
    """A kind of evidence judged a window and returned something else than evidence."""


class PolicyError(EverfitError, TypeError):
    """A retraining policy returned something else than a decision."""


class SimulationError(EverfitError, ValueError):
    """A span over which policies cannot be played."""


class LaunchError(EverfitError, ValueError):
    """A run was launched with a choice that does not fit its model."""


class EventError(EverfitError, ValueError):
    """A record of a topic cannot be decoded or breaks its contract; it becomes a dead letter."""


class UnknownSchemaError(EventError):
    """A prediction has a schema that is neither declared nor that of a known version."""


class UnknownLetterError(EverfitError, LookupError):
    """No dead letter has that number."""


class UnknownWindowError(EverfitError, LookupError):
    """No closed window of that model with a champion begins at that moment."""


class UnreadableError(EverfitError, LookupError):
    """A partition is not isolated as unreadable, so that nothing of it can be skipped."""


class LakeError(EverfitError):
    """A lake object is missing or its content does not match its name."""


class FormatError(LakeError):
    """A stored document was written by a newer version of everfit, or is damaged."""


class MissingObjectError(LakeError, LookupError):
    """No object of that name is in the lake."""


class NotServableError(EverfitError):
    """An exported model does not answer as the native one does, or is too slow; it must not be promoted."""


class ProcessEndedError(NotServableError):
    """The process of a version that runs in one of its own crashed, hung or does not start; the next answer starts it again."""


class LostVersionError(EverfitError, LookupError):
    """The registry has lost a version or its artifact."""


class PromotionError(EverfitError, ValueError):
    """A version that a person named cannot become champion."""


class StaleChampionError(EverfitError):
    """The champion changed between the comparison and the promotion; compare again."""


class SettingsError(EverfitError, ValueError):
    """An environment variable has an invalid value, or a name that is almost one of everfit's."""


class RefusedError(EverfitError):
    """A record is refused because of its contents; sending it again would be refused, too."""


class ServiceError(EverfitError):
    """A required service does not answer."""


class StackError(EverfitError):
    """The embedded stack cannot be started or stopped as requested, such as by a taken port or a failed start."""


class DrillError(EverfitError):
    """A drill does not exist, or cannot run on this machine or broker."""
