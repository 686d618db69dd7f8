"""The one error a user is meant to read."""


class StudyError(Exception):
    """Something a user can put right.

    The message says what is wrong, where, and what to do, in one line. The
    command line prints that line alone; so does a notebook.
    """

    def _render_traceback_(self) -> list[str]:
        """Give IPython one line instead of a stack trace."""
        return [f"{type(self).__name__}: {self}"]


def first_line(said: BaseException | str) -> str:
    """The first line of what an error says, or its type where it says nothing."""
    lines = str(said).strip().splitlines()
    return lines[0] if lines else type(said).__name__
