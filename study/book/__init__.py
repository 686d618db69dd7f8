"""The book: which notebooks it has, executing them, pages, the site and the PDF."""
