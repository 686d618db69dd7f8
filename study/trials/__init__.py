"""What was tried on the way to kNN reconstruction."""
