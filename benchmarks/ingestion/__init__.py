"""What benchmarks/ingest.py measures, one against the other."""
