import hashlib
import http.server
import io
import tarfile
import threading

import pytest

from anomalylib.errors import UserError
from study.parts.download import download, extract, fetch_mvtec


def archive_of(members):
    """A tar.xz: name to content, or to a TarInfo made by hand."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if content is info else content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


GOOD = archive_of({"screw/train/good/000.png": b"pixels" * 5000})


@pytest.fixture
def server():
    """Serves GOOD on loopback; knows ranges; notes what was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("Range"))
            start = int((asked[-1] or "bytes=0-")[6:-1])
            if start >= len(GOOD):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(GOOD) - start))
            self.end_headers()
            self.wfile.write(GOOD[start:])

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/mvtec.tar.xz", asked
        running.shutdown()


def test_fetch_verifies_unpacks_and_cleans_up(server, tmp_path):
    url, asked = server
    folder = fetch_mvtec(tmp_path / "mvtec", url, hashlib.sha256(GOOD).hexdigest())
    assert (folder / "screw/train/good/000.png").read_bytes() == b"pixels" * 5000
    assert [path.name for path in tmp_path.iterdir()] == ["mvtec"]
    fetch_mvtec(folder, url, "unused")  # there already: nothing is asked
    assert len(asked) == 1


def test_a_download_goes_on_where_it_stopped(server, tmp_path):
    url, asked = server
    part = tmp_path / "x.part"
    part.write_bytes(GOOD[:100])
    download(url, part)
    assert part.read_bytes() == GOOD
    assert asked == ["bytes=100-"]
    download(url, part)  # complete: the server has nothing to add
    assert part.read_bytes() == GOOD


def test_a_wrong_archive_is_thrown_away(server, tmp_path):
    url, _ = server
    with pytest.raises(UserError, match="not MVTec AD"):
        fetch_mvtec(tmp_path / "mvtec", url, "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_one_line_says_where_to_get_it(tmp_path):
    with pytest.raises(UserError, match=r"cannot download MVTec AD.*get it at .*DATA_ROOT") as e:
        fetch_mvtec(tmp_path / "mvtec", "http://127.0.0.1:1/x")
    assert "\n" not in str(e.value)


def link(name, kind, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "members",
    [
        {"../outside.txt": b"x"},
        {"/absolute.txt": b"x"},
        {"a/../../outside.txt": b"x"},
        {"a": link("a", tarfile.SYMTYPE, "/etc")},
        {"a": link("a", tarfile.LNKTYPE, "b")},
        {"a": link("a", tarfile.FIFOTYPE, "")},
    ],
)
def test_unsafe_members_are_refused(members, tmp_path):
    archive = tmp_path / "in" / "x.tar.xz"
    archive.parent.mkdir()
    archive.write_bytes(archive_of({"fine.txt": b"y"} | members))
    with pytest.raises(UserError, match="a link or a path outside"):
        extract(archive, tmp_path / "in" / "out")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["x.tar.xz"]
    assert not list(tmp_path.rglob("outside.txt"))


def test_a_damaged_archive_leaves_no_folder(tmp_path):
    archive = tmp_path / "x.tar.xz"
    archive.write_bytes(GOOD[: len(GOOD) // 2])
    with pytest.raises(UserError, match="cannot unpack"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
