"""Recipes: how each is fitted, exported to ONNX, and compared with what it answered before the export."""
