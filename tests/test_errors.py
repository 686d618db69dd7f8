from anomalylib.errors import StudyError, first_line


def test_an_error_is_one_line_in_a_notebook():
    assert StudyError("what to do")._render_traceback_() == ["StudyError: what to do"]


def test_the_first_line_of_any_error():
    assert first_line(ValueError("\nfirst\nsecond")) == "first"
    assert first_line(EOFError()) == "EOFError"
    assert first_line("first\nsecond") == "first"
