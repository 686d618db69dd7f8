"""MVTec AD itself: fetch, verify, extract safely."""

import lzma
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from anomalylib.errors import UserError, first_line, is_full
from anomalylib.files import sha256_of
from study.checkout import ROOT

URL = (
    "https://www.mydrive.ch/shares/150996/b52ecdcbf521176e9db9c731f2304b27/download/"
    "420938113-1629960298/mvtec_anomaly_detection.tar.xz"
)
SHA256 = "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d"
PAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"
FOLDER = ROOT / "data" / "mvtec"
TIMEOUT = 20  # seconds without an answer
CHUNK = 1 << 20


def fetch_mvtec(folder: Path = FOLDER, url: str = URL, sha256: str = SHA256) -> Path:
    """Download and unpack MVTec AD (5 GB) into `folder`; go on where an earlier try stopped.

    UserError if the archive cannot be had, is not the expected one, or is not safe to unpack.
    """
    if folder.is_dir():
        return folder
    archive = folder.with_name("mvtec_anomaly_detection.tar.xz")
    if not archive.is_file():
        part = archive.with_name(archive.name + ".part")
        download(url, part)
        if (actual := sha256_of(part)) != sha256:
            part.unlink()
            wrong = f"SHA-256 {actual[:12]}…, expected {sha256[:12]}…"
            raise UserError(f"the archive is not MVTec AD ({wrong}): run again, or see {PAGE}")
        part.rename(archive)
    elif sha256_of(archive) != sha256:
        raise UserError(f"{archive} is not the expected archive: delete it and run again")
    extract(archive, folder)
    archive.unlink()
    return folder


def download(url: str, part: Path) -> None:
    """Append to `part` what it still lacks of the file at `url`."""
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.status != 206:  # the server starts from the beginning
                have = 0
            total = have + int(answer.headers.get("Content-Length", 0))
            bar = tqdm(desc="MVTec AD", total=total, initial=have, unit="B", unit_scale=True)
            with part.open("ab" if have else "wb") as file, bar:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is lacking
            raise _by_hand(error) from None
    except OSError as error:
        raise (_full(error, part) if is_full(error) else _by_hand(error)) from None
    else:
        if part.stat().st_size < total:
            raise UserError(f"the download stopped at {part.stat().st_size} bytes: run it again")


def _by_hand(error: OSError) -> UserError:
    """Say where MVTec AD is to be had without this command."""
    where = f"get it at {PAGE}, unpack it, and give its folder as DATA_ROOT"
    return UserError(f"cannot download MVTec AD ({error}): {where}")


def _full(error: OSError, path: Path) -> UserError:
    return UserError(f"{path} was not written: {first_line(error)}")


def extract(archive: Path, folder: Path) -> None:
    """Unpack into `folder`, which appears only when all is unpacked.

    UserError if a member is a link, a device, or lies outside the folder.
    """
    beside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            for member in tqdm(tar, desc="unpacking", unit="file"):
                _refuse_unsafe(member)
                tar.extract(member, beside, set_attrs=False)
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        if is_full(error):
            raise _full(error, folder) from None
        raise UserError(f"cannot unpack {archive} ({error}): delete it and run again") from None
    else:
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _refuse_unsafe(member: tarfile.TarInfo) -> None:
    """Only plain files and folders inside the tree may be unpacked."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise UserError(
            f"the archive holds {member.name!r}, a link or a path outside: not unpacked"
        )
