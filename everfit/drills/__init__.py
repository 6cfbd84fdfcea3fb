"""Crash drills: break parts on purpose, in a home of their own, and compare what is stored with what was sent."""
