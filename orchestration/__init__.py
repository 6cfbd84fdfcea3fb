"""All that knows Dagster's automation: definitions, sensors, jobs, resources."""

import everfit  # noqa: F401 - with it former names are found: a user's dagster.yaml may name a module here by one
