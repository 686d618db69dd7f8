"""Features: a frozen backbone, its weights, and what is kept of it on disk."""
