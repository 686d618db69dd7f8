"""A look at the images of a category before any detector."""
