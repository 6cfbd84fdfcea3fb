"""The names that Dagster and everfit share: of the code location, its modules, its sensors and its sets of partitions."""

LOCATION = "everfit"  # in workspace.yaml
DEFINITIONS = "orchestration.definitions"  # what the code location serves
LAUNCHER, LAUNCHER_CLASS = "orchestration.launcher", "PreloadedRunLauncher"  # what starts runs in the embedded stack
LOOP = "prediction_log"  # the sensor that reads the log, judges and launches


def days_name(model: str) -> str:
    """The set of a model's daily partitions."""
    return f"{model}_days"
