"""Tables of results and numbers for the text: nothing here runs a model."""
