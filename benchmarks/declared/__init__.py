"""Models as the benchmarks want them."""
