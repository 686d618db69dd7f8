from anomalylib.errors import UserError, first_line


def test_an_error_is_one_line_in_a_notebook():
    assert UserError("what to do")._render_traceback_() == ["UserError: what to do"]


def test_the_first_line_of_any_error():
    assert first_line(ValueError("\nfirst\nsecond")) == "first"
    assert first_line(EOFError()) == "EOFError"
    assert first_line("first\nsecond") == "first"


def test_a_full_or_shut_disk_is_said_with_what_to_do():
    full = OSError(28, "No space left on device", "/x")
    assert first_line(full) == (
        "the disk is full ([Errno 28] No space left on device: '/x'): free some space and run again"
    )
    assert first_line(PermissionError(13, "Permission denied", "/x")).startswith("no access (")
    assert first_line(UserError("as it is")) == "as it is"
