"""Archives that would write elsewhere, or more than there is room for."""

import io
import tarfile
from pathlib import Path

from anomalylib.errors import UserError
from study.parts.download import extract
from tests.faults import common
from tests.faults.common import Setup, Tried

KINDS = {
    "symbolic link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "device": tarfile.CHRTYPE,
    "disk": tarfile.BLKTYPE,
}


def members_that_lead_out(setup: Setup) -> Tried:
    """Archives with `..`, absolute names, links, devices"""
    tried, refused, lost = 0, 0, 0
    outside = setup.scratch / "outside.txt"
    for members in _hostile(outside):
        tried += 1
        folder = setup.folder(f"archive-{tried}")
        inside = folder / "in"
        inside.mkdir()
        (folder / "outside.txt").write_text("as it was")
        archive = inside / "x.tar"
        _write(archive, members)
        try:
            extract(archive, inside / "out")
        except UserError as error:
            refused += "\n" not in str(error)
        lost += (folder / "outside.txt").read_text() != "as it was"
        lost += [path.name for path in inside.iterdir()] != ["x.tar"]
        lost += sorted(path.name for path in folder.iterdir()) != ["in", "outside.txt"]
    lost += outside.exists()
    return Tried(tried, f"{refused} refused in one line, nothing unpacked", lost + tried - refused)


def archives_too_large(setup: Setup) -> Tried:
    """Archives that hold, or say that they hold, more than the disk"""
    folder = setup.folder("bomb")
    small = folder / "disk"
    whole, said = folder / "zeros.tar.xz", folder / "said.tar"
    with tarfile.open(whole, "w:xz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 30_000_000
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    huge = tarfile.TarInfo("huge")
    huge.size = 2**42
    said.write_bytes(huge.tobuf() + b"x" * 4096)
    lines, lost = [], 0
    with common.disk(small, "2m"):
        for archive in (whole, said):
            try:
                extract(archive, small / "out")
            except UserError as error:
                lines.append(str(error))
            lost += len(list(small.iterdir()))
    full = sum("the disk is full" in line for line in lines)
    lost += 2 - len(lines) + (full < 1) + sum("\n" in line for line in lines)
    return Tried(2, f"{len(lines)} refused in one line, nothing left behind", lost)


FAULTS = (members_that_lead_out, archives_too_large)


def _hostile(outside: Path) -> list[list[tarfile.TarInfo]]:
    """Members of archives, each after one that is fine."""
    names = ("../outside.txt", "a/../../outside.txt", str(outside), "./../outside.txt", "..")
    found = [[_member(name)] for name in names]
    for kind in KINDS.values():
        for target in ("../outside.txt", "/etc/passwd", "fine.txt"):
            found.append([_member("x", kind, target)])
    # A link to a folder, and then a file through it.
    found.append([_member("way", tarfile.SYMTYPE, ".."), _member("way/outside.txt")])
    found.append([_member("way", tarfile.SYMTYPE, str(outside.parent)), _member("way/outside.txt")])
    found.append([_member("x", tarfile.LNKTYPE, "../outside.txt"), _member("x")])
    return found


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o777
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info


def _write(archive, members: list[tarfile.TarInfo]) -> None:
    with tarfile.open(archive, "w") as tar:
        for info in [_member("fine.txt"), *members]:
            tar.addfile(info, io.BytesIO(b"text"))
