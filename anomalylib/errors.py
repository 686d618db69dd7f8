"""The one error a user is meant to read."""


class UserError(Exception):
    """Something a user can put right: what is wrong, where, and what to do, in one line."""

    def _render_traceback_(self) -> list[str]:
        """Give IPython one line instead of a stack trace."""
        return [f"{type(self).__name__}: {self}"]


FULL = ("No space left on device", "Disk quota exceeded")
SHUT = ("Permission denied", "Read-only file system", "Operation not permitted")


def first_line(error: BaseException | str) -> str:
    """The first line of an error or its type, and what to do if a disk is full or a folder shut."""
    if isinstance(error, UserError):
        return str(error)
    lines = str(error).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    if any(sign in line for sign in FULL):
        return f"the disk is full ({line}): free some space and run again"
    if any(sign in line for sign in SHUT):
        return f"no access ({line}): let your user read and write there, and run again"
    return line


def is_full(error: BaseException) -> bool:
    """Whether an error says, in whatever type, that a disk is full."""
    return any(sign in str(error) for sign in FULL)
