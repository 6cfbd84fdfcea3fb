"""Crash drills: break the parts on purpose, on a home of their own, and hold what is stored against what was sent."""
