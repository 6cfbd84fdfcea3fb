"""Candidates fitted, exported to ONNX and held against what they answered before the export."""
