"""The package of models that a drill's stack works with."""
