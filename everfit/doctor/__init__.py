"""The checks of `everfit doctor`: each reports a state, and the remedy where something is wrong."""
