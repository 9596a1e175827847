"""How files are written: through links, into devices, all at once, and with nothing left over."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastbp.io.files import check_writable, is_regular_file, write_file

OLD, NEW = b"old content", b"new content, which is longer"
NOBODY = 65534
posix = pytest.mark.skipif(os.name != "posix", reason="files as POSIX has them")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def old_file(name="page.html", mode=0o644):
    path = Path(name)
    path.write_bytes(OLD)
    path.chmod(mode)
    return path


def write_new(path):
    return write_file(path, NEW)


def content_of_folder(folder="."):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@contextmanager
def unprivileged(mode_of_folder):
    """Run as a user who may not do all; paths must be relative, since parents are private."""
    is_root = os.geteuid() == 0
    Path().chmod(mode_of_folder)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        Path().chmod(0o777)


# -- what is written -------------------------------------------------------------------------------


def test_text_bytes_and_what_a_function_writes_are_the_whole_file():
    assert write_file("a", "line\nline \N{EURO SIGN}\n") == Path("a")
    assert write_file(Path("b"), b"\x00\r\n\xff") == Path("b")
    assert write_file(b"c", lambda file: file.write(b"12345") and file.seek(1) and file.write(b"x"))
    assert content_of_folder() == {
        "a": "line\nline \N{EURO SIGN}\n".encode(),
        "b": b"\x00\r\n\xff",
        "c": b"1x345",
    }


@pytest.mark.parametrize("content", [b"", b"x" * 3_000_000])
def test_files_of_any_length_replace_each_other(content):
    old_file("file")
    write_file("file", content)
    assert content_of_folder() == {"file": content}


def test_half_of_a_surrogate_pair_is_written_as_its_escape():
    write_file("page.html", "name \udcff")
    assert content_of_folder() == {"page.html": rb"name \udcff"}


def test_a_function_that_fails_leaves_the_old_file():
    def fails(file):
        file.write(NEW)
        raise ZeroDivisionError

    old_file("model")
    with pytest.raises(ZeroDivisionError):
        write_file("model", fails)
    assert content_of_folder() == {"model": OLD}


# -- links -----------------------------------------------------------------------------------------


@posix
def test_chains_of_links_are_followed_and_stay_links(folder):
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    (folder / "to_b").symlink_to("b")
    (folder / "b" / "page.html").write_bytes(OLD)
    (folder / "b" / "second").symlink_to(folder / "b" / "page.html")
    (folder / "a" / "first").symlink_to("../to_b/second")
    assert write_file("a/first", NEW) == Path("a/first")
    assert (folder / "a" / "first").readlink() == Path("../to_b/second")
    assert (folder / "b" / "second").is_symlink()
    assert not (folder / "b" / "page.html").is_symlink()
    assert (folder / "b" / "page.html").read_bytes() == NEW
    assert sorted(os.listdir("a") + os.listdir("b")) == ["first", "page.html", "second"]


@posix
def test_a_link_to_what_is_not_there_yet_makes_its_target():
    Path("elsewhere").mkdir()
    Path("link").symlink_to("elsewhere/page.html")
    write_file("link", NEW)
    assert Path("link").is_symlink()
    assert content_of_folder("elsewhere") == {"page.html": NEW}


@posix
@pytest.mark.parametrize(
    ("target", "number", "said"),
    [
        (".", errno.EISDIR, "cannot write link: it is a folder; add the name of a file"),
        ("no/page.html", errno.ENOENT, "cannot write link: there is no folder no. Make it first"),
        ("link", errno.ELOOP, "cannot write link: its symbolic links lead round in a circle"),
    ],
)
def test_links_that_lead_to_no_file_are_refused(target, number, said):
    Path("link").symlink_to(target)
    for way in (check_writable, write_new):
        with pytest.raises(OSError, match=said) as error:
            way("link")
        assert error.value.errno == number
    assert os.listdir() == ["link"]


@posix
def test_another_hard_link_keeps_the_old_content():
    old_file("page.html")
    os.link("page.html", "backup.html")
    write_file("page.html", NEW)
    assert content_of_folder() == {"page.html": NEW, "backup.html": OLD}


# -- what is not a regular file --------------------------------------------------------------------


@posix
@pytest.mark.parametrize("name", ["fifo", "link"])
def test_a_named_pipe_is_written_to_and_stays_one(name):
    os.mkfifo("fifo")
    Path("link").symlink_to("fifo")
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("fifo").read_bytes()))
    reader.start()
    content = NEW * 10_000  # more than a pipe holds at once
    write_file(name, content)
    reader.join()
    assert read == [content]
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)
    assert sorted(os.listdir()) == ["fifo", "link"]


@posix
def test_a_device_is_written_to_and_stays_one():
    Path("null").symlink_to(os.devnull)
    before = os.stat(os.devnull)
    write_file("null", NEW)
    after = os.stat(os.devnull)
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert Path("null").is_symlink()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_device_that_is_full_is_said():
    with pytest.raises(OSError, match="cannot write /dev/full: No space left") as error:
        write_file("/dev/full", NEW)
    assert error.value.errno == errno.ENOSPC
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@posix
def test_a_socket_is_refused():
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(OSError, match="cannot write socket: it is a socket"):
            write_file("socket", NEW)
    assert stat.S_ISSOCK(os.stat("socket").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("into_file", [True, False])
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "link"])
def test_standard_output_goes_on_after_what_it_has(name, into_file):
    Path("link").symlink_to("/dev/stdout")
    code = f"""
from fastbp.io.files import is_regular_file, write_file
print("before", flush=True)
write_file({name!r}, b"between\\n")
print("after", is_regular_file({name!r}))
"""
    arguments = [sys.executable, "-c", code]
    if into_file:
        with open("out.txt", "wb") as out:
            subprocess.run(arguments, stdout=out, check=True)
        said = Path("out.txt").read_text()
    else:
        said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert said == "before\nbetween\nafter False\n"


# -- mode and owner --------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_keeps_its_mode(mode):
    path = old_file(mode=mode)
    write_file(path, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == NEW


@posix
def test_a_new_file_has_the_mode_of_any_new_file():
    Path("other").touch()
    write_file("page.html", NEW)
    assert os.stat("page.html").st_mode == os.stat("other").st_mode


@posix
def test_the_process_keeps_its_umask_at_all_times(monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("other threads see this"))
    write_file("page.html", NEW)
    write_file("page.html", OLD)


@posix
def test_a_private_file_is_private_while_it_is_written(monkeypatch):
    old_file("page.html", mode=0o600)
    modes = []

    def write(file, data, write=os.write):
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        return write(file, data)

    monkeypatch.setattr(os, "write", write)
    write_file("page.html", NEW)
    assert modes == [0o600]


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root may give away")
def test_a_file_keeps_its_owner():
    old_file("page.html", mode=0o640)
    os.chown("page.html", 12345, 23456)
    write_file("page.html", NEW)
    after = os.stat("page.html")
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (12345, 23456, 0o640)
    assert content_of_folder() == {"page.html": NEW}


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_a_file_keeps_what_else_is_noted_of_it():
    old_file("page.html")
    try:
        os.setxattr("page.html", "user.origin", b"here")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    write_file("page.html", NEW)
    assert os.getxattr("page.html", "user.origin") == b"here"


def test_a_file_that_was_replaced_is_as_new_as_it_is():
    old_file("page.html")
    os.utime("page.html", (1, 1))
    write_file("page.html", NEW)
    assert os.stat("page.html").st_mtime > 1e9


# -- what may not be replaced, or not be written ---------------------------------------------------


@posix
@pytest.mark.parametrize("old", [OLD, NEW * 3])
def test_a_file_in_a_folder_that_takes_no_new_ones_is_written_over(old):
    old_file("page.html", mode=0o666).write_bytes(old)
    inode = os.stat("page.html").st_ino
    with unprivileged(mode_of_folder=0o555):
        check_writable("page.html")
        write_file("page.html", NEW)
    assert os.stat("page.html").st_ino == inode
    assert content_of_folder() == {"page.html": NEW}


@posix
def test_a_file_whose_owner_cannot_be_kept_is_written_over(monkeypatch):
    old_file("page.html")
    inode = os.stat("page.html").st_ino
    monkeypatch.setattr("fastbp.io.files._take_over", refuse)
    write_file("page.html", NEW)
    assert os.stat("page.html").st_ino == inode
    assert content_of_folder() == {"page.html": NEW}


def refuse(*_, **__):
    raise PermissionError(errno.EPERM, "Operation not permitted")


@posix
def test_a_folder_that_takes_no_new_files_is_said():
    with unprivileged(mode_of_folder=0o555):
        for way in (check_writable, write_new):
            with pytest.raises(
                PermissionError, match=r"cannot write page\.html: Permission denied"
            ):
                way("page.html")
    assert os.listdir() == []


@posix
def test_a_file_that_is_protected_is_left_alone():
    old_file("page.html", mode=0o444)
    with unprivileged(mode_of_folder=0o777):
        for way in (check_writable, write_new):
            with pytest.raises(PermissionError, match=r"cannot write page\.html"):
                way("page.html")
    assert content_of_folder() == {"page.html": OLD}


# -- a disk that is full, Ctrl-C -------------------------------------------------------------------


def after_three_bytes(error):
    """Return a stand-in for os.write that takes three bytes, and then no more."""
    taken = []

    def write(file, data, write=os.write):
        if taken:
            raise error
        taken.append(write(file, data[:3]))
        return taken[0]

    return write


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_what_fails_leaves_the_old_file_and_nothing_else(error, call, is_there, monkeypatch):
    if is_there:
        old_file("page.html")

    def fails(*arguments, open=os.open, **options):
        if call == "open" and not arguments[1] & os.O_CREAT:
            return open(*arguments, **options)
        raise error

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, call, after_three_bytes(error) if call == "write" else fails)
        with pytest.raises(type(error)):
            write_file("page.html", NEW)
    assert content_of_folder() == ({"page.html": OLD} if is_there else {})


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_disk_that_is_full_leaves_the_old_file_where_it_is_written_over(error, monkeypatch):
    old_file("page.html")
    monkeypatch.setattr("fastbp.io.files._replace", refuse)
    monkeypatch.setattr(os, "write", after_three_bytes(error))
    with pytest.raises(type(error)):
        write_file("page.html", NEW)
    assert content_of_folder() == {"page.html": OLD}


@posix
def test_a_limit_of_the_system_leaves_the_old_file():
    old_file("page.html")
    code = """
import resource
from fastbp.io import files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
def tries():
    try:
        files.write_file("page.html", b"x" * 9000)
    except OSError as error:
        print(error.strerror)
tries()
def refuse(*_):
    raise PermissionError(1, "")
files._replace = refuse
tries()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "cannot write page.html: File too large\n" * 2
    assert content_of_folder() == {"page.html": OLD}


# -- several at once -------------------------------------------------------------------------------


def test_of_several_who_write_at_once_one_whole_file_wins():
    contents = [bytes([65 + k]) * (100_000 + 1000 * k) for k in range(6)]
    old_file("page.html").write_bytes(contents[0])
    gate, seen, over = threading.Barrier(7), set(), threading.Event()

    def writes(content):
        gate.wait()
        for _ in range(5):
            write_file("page.html", content)

    def reads():
        gate.wait()
        while not over.is_set():
            seen.add(Path("page.html").read_bytes())

    writers = [threading.Thread(target=writes, args=(content,)) for content in contents]
    reader = threading.Thread(target=reads)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert seen <= set(contents)
    assert os.listdir() == ["page.html"]
    assert Path("page.html").read_bytes() in contents


# -- names -----------------------------------------------------------------------------------------


NAMES = ["x" * 255, "\N{EURO SIGN}" * 85, "-", " ", "a\nb", "\x1b[2J"]


@posix
@pytest.mark.parametrize("name", [*NAMES, *([b"\xff\xfe.html"] if sys.platform == "linux" else [])])
def test_any_name_that_a_file_can_have_is_taken(name):
    for content in (OLD, NEW):
        assert write_file(name, content) == Path(os.fsdecode(name))
    assert content_of_folder() == {os.fsdecode(name): NEW}


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("", FileNotFoundError, "its path is empty"),
        ("new/", IsADirectoryError, "cannot write new/: it is a folder; add the name of a file"),
        ("\x1b[2J/", IsADirectoryError, r"cannot write \\x1b\[2J/: it is a folder"),
        (".", IsADirectoryError, "it is a folder"),
        ("file/page.html", OSError, "there is no folder file"),
        ("no\x1bwhere/page.html", FileNotFoundError, r"there is no folder no\\x1bwhere\."),
        ("a\0b", ValueError, r"cannot write a\\x00b: no file can have this name"),
        ("x" * 256, OSError, "File name too long"),
        (3.5, TypeError, "PathLike"),
        (None, TypeError, "PathLike"),
    ],
)
def test_names_that_no_file_can_have_are_refused(name, kind, said):
    old_file("file")
    for way in (check_writable, write_new):
        with pytest.raises(kind, match=said):
            way(name)
    assert content_of_folder() == {"file": OLD}


@posix
def test_text_that_is_no_name_is_refused():
    with pytest.raises(ValueError, match=r"cannot write \\ud800: no file can have this name"):
        write_file("\ud800", NEW)


def test_what_leads_to_a_regular_file_is_told_from_what_does_not():
    old_file("page.html")
    assert is_regular_file("page.html")
    assert not is_regular_file("nothing")
    assert not is_regular_file(".")
    assert not is_regular_file(os.devnull)


@pytest.mark.skipif(sys.platform != "linux", reason="has /proc")
@pytest.mark.parametrize("process", ["self", "thread-self", "{pid}", "{pid}/task/{pid}", "./self"])
def test_an_open_file_goes_on_after_what_it_has_by_any_path(process):
    with open("open.txt", "w") as file:
        file.write("before ")
        file.flush()
        write_file(f"/proc/{process.format(pid=os.getpid())}/fd/{file.fileno()}", "page")
        file.write(" after")
    assert Path("open.txt").read_text() == "before page after"
