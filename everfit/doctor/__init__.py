"""The checks of `everfit doctor`: each says what it found, and what to do where that is not right."""
