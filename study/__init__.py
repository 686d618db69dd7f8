"""The study: what makes a book of the library's results. The library knows nothing of it."""
