"""All that knows Dagster's automation: definitions, sensors, jobs, resources."""
