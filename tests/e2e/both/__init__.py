"""Both real models in one stack, made small: judged by the day."""
