"""All shipped models in one stack, made small."""
