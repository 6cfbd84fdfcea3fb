"""All that knows Dagster's automation: definitions, sensors, jobs, resources."""

from pathlib import Path

from everfit.environment.project_folder import put_behind

put_behind(Path.cwd())  # Dagster imports this package first, in the folder that a user works in
