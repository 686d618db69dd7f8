"""Metrics: how well scores and maps separate normal from anomalous, and how sure that is."""
