"""The monitoring loop over the store: consume the log, close windows, gather evidence, decide, write requests. No Dagster."""
