"""Models as the benchmarks run them."""
