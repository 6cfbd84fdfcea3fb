"""The demo: what a replay of the electricity market did, computed from the stores and drawn."""
