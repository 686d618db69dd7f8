from anomalylib.errors import UserError, first_line


def test_an_error_is_one_line_in_a_notebook():
    assert UserError("what to do")._render_traceback_() == ["UserError: what to do"]


def test_the_first_line_of_any_error():
    assert first_line(ValueError("\nfirst\nsecond")) == "first"
    assert first_line(EOFError()) == "EOFError"
    assert first_line("first\nsecond") == "first"
