"""Images: which there are, where they lie, how a file is read."""
