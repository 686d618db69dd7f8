"""Many runs outside notebooks: workers, measured runs, and the tables they give."""
