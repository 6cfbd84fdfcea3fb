"""The flights as the backfill is measured on them."""
