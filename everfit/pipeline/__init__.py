"""What each asset does, as plain functions over a deployment: land, compute, assemble, fit, compare, promote."""
