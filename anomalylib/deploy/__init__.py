"""Use: a fitted detector as a file, new images inspected, a report, ONNX."""
