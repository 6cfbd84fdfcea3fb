"""Models on a short history, for tests of days and stages rather than of the loop."""
