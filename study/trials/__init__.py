"""What was tried on the way to combined+."""
