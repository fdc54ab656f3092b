"""Repair: what waits for a person, what a person answers, and what is repeated after it."""
