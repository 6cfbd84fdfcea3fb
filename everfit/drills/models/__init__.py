"""The package of models of a drill's stack."""
