"""Detectors: what learns from normal images and scores new ones."""
