"""What can go wrong, one class a condition, under one root.

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
    """Rows offered to a source break its declared columns, types or bounds."""


class RecipeError(EverfitError, TypeError):
    """A recipe's fit returns what cannot predict, or cannot be exported."""


class FeatureError(EverfitError, ValueError):
    """Rows offered to a model lack one of its features, or hold it in a type that does not fit."""


class EmptyPartitionError(EverfitError):
    """A partition was asked for, on which nothing has landed."""


class BackfillError(EverfitError, ValueError):
    """Days or assets were asked for that cannot be made."""


class EvidenceError(EverfitError, TypeError):
    """A kind of evidence judged a window and returned something else than evidence."""


class PolicyError(EverfitError, TypeError):
    """A retraining policy answered something else than a decision."""


class LaunchError(EverfitError, ValueError):
    """A run was launched with a choice that does not fit its model."""


class EventError(EverfitError, ValueError):
    """A record on a topic cannot be decoded or breaks its contract; it belongs in the dead letters."""


class UnknownSchemaError(EventError):
    """A prediction has a schema that nobody declared and no version has, as far as the reader knows."""


class UnknownLetterError(EverfitError, LookupError):
    """No dead letter has that number."""


class UnknownWindowError(EverfitError, LookupError):
    """No window of that model that closed under a champion begins at that moment."""


class UnreadableError(EverfitError, LookupError):
    """A partition is not set aside as one that cannot be read."""


class LakeError(EverfitError):
    """A lake object is missing or its content does not match its name."""


class FormatError(LakeError):
    """A kept document was written by a newer version of everfit, or is damaged."""


class MissingObjectError(LakeError, LookupError):
    """No object of that name is in the lake."""


class NotServableError(EverfitError):
    """An exported model does not answer as the native one does, or is too slow; it must not be promoted."""


class LostVersionError(EverfitError, LookupError):
    """MLflow does not have a version, or not its artifact, any more."""


class PromotionError(EverfitError, ValueError):
    """A person asked to promote what cannot become champion."""


class StaleChampionError(EverfitError):
    """The champion changed between the comparison and the promotion; compare again."""


class SettingsError(EverfitError, ValueError):
    """A variable of the environment has a value that makes no sense, or a name that is almost one of ours."""


class RefusedError(EverfitError):
    """What was sent is refused for what it is: to send it again changes nothing."""


class ServiceError(EverfitError):
    """A service that is needed does not answer."""


class StackError(EverfitError):
    """The embedded stack cannot do what was asked: a taken port, a foreign process, a failed start."""


class DrillError(EverfitError):
    """A drill that is not there, or that this machine or broker cannot do."""
