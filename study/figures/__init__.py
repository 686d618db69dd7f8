"""Figures: one look, one colour a model. They know tables, never detectors."""
