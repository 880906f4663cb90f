"""Damaged and hostile PLY files: each opens or is refused plainly, in bounded memory."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from core.formats import Loaded, load_scene, save_scene
from tests.core.formats_examples import (
    by_property,
    gaussian_properties,
    random_scene,
    table,
    triangles,
    write_with_plyfile,
)

COUNT = 24
MEMORY_LIMIT = 48 << 20
KINDS = ["ours", "ascii", "mixed"]
ABSURD_COUNTS = [
    "25",
    "1000000000",
    "18446744073709551616",
    "9" * 5000,
    "-1",
    "1e3",
    "0x10",
    "²",
    "",
]
LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from core.errors import UserError
from core.formats import load_scene

pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (256 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small file of each encoding; the mixed one has big-endian types and other elements."""
    folder = tmp_path_factory.mktemp("intact")
    scene = random_scene(COUNT, 1)
    save_scene(scene, folder / "ours.ply")
    columns = by_property(scene)
    write_with_plyfile(folder / "ascii.ply", columns, text=True)
    types = ["f8", "f4", "f4"]
    mixed = {n: v.astype(types[i % 3]) for i, (n, v) in enumerate(columns.items())}
    mixed["label"] = np.arange(COUNT, dtype="i2")
    before = {"camera": table({"id": np.arange(5, dtype="u1")})}
    write_with_plyfile(
        folder / "mixed.ply", mixed, byte_order=">", before=before, after={"face": triangles()}
    )
    return {kind: (folder / f"{kind}.ply").read_bytes() for kind in KINDS}


def attempt(path: Path) -> Loaded | UserError:
    """What opening a file comes to; any other exception is a bug."""
    try:
        return load_scene(path)
    except UserError as error:
        return error


def opens(path: Path, content: bytes) -> bool:
    """Whether a file opens; if so it holds usable values, and in any case memory is bounded."""
    path.write_bytes(content)
    tracemalloc.start()
    outcome = attempt(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY_LIMIT
    if isinstance(outcome, UserError):
        assert outcome.message.startswith("Cannot open ")
        return False
    for tensor in outcome.scene.tensors().values():
        assert tensor.isfinite().all()
    return True


def data_start(content: bytes) -> int:
    return content.index(b"end_header\n") + 11


@pytest.mark.parametrize("kind", KINDS)
def test_intact_files_open(tmp_path: Path, intact: dict[str, bytes], kind: str) -> None:
    assert opens(tmp_path / "a.ply", intact[kind])


@pytest.mark.parametrize("kind", ["ours", "ascii"])
def test_files_cut_off_anywhere_are_refused(
    tmp_path: Path, intact: dict[str, bytes], kind: str
) -> None:
    content = intact[kind]
    start = data_start(content)
    last = len(content.rstrip()) - (20 if kind == "ascii" else 1)
    cuts = [*range(start), *np.linspace(start, last, 60).astype(int)]
    assert len(cuts) > 200
    for cut in cuts:
        assert not opens(tmp_path / "a.ply", content[:cut]), cut


def test_files_may_be_cut_off_after_the_gaussians(tmp_path: Path, intact: dict[str, bytes]) -> None:
    content = intact["mixed"]
    assert opens(tmp_path / "a.ply", content[:-5])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["header", "data"])
def test_flipped_bits(tmp_path: Path, intact: dict[str, bytes], kind: str, part: str) -> None:
    content = intact[kind]
    start = data_start(content)
    low, high = (0, start) if part == "header" else (start, len(content))
    random = np.random.default_rng(1)
    opened = 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in random.integers(low, high, random.integers(1, 4)):
            damaged[place] ^= 1 << int(random.integers(8))
        opened += opens(tmp_path / "a.ply", bytes(damaged))
    assert opened < 150 or part == "data"
    assert opened or part == "header"


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_in_the_middle(tmp_path: Path, intact: dict[str, bytes], kind: str) -> None:
    content = intact[kind]
    random = np.random.default_rng(2)
    for _ in range(60):
        start = int(random.integers(len(content)))
        garbage = random.bytes(int(random.integers(1, 400)))
        opens(tmp_path / "a.ply", content[:start] + garbage + content[start + len(garbage) :])
        opens(tmp_path / "a.ply", content[:start] + garbage + content[start:])


def test_nothing_but_garbage(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    for size in (1, 3, 4, 100, 70_000):
        assert not opens(tmp_path / "a.ply", random.bytes(size))
        assert not opens(tmp_path / "a.ply", b"ply\n" + random.bytes(size))
        assert not opens(tmp_path / "a.ply", b"ply\n" + b"\0" * size)
        assert not opens(tmp_path / "a.ply", b"ply\n" * size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", ABSURD_COUNTS)
def test_absurd_counts(tmp_path: Path, intact: dict[str, bytes], kind: str, count: str) -> None:
    counted = b"element vertex %d" % COUNT
    content = intact[kind].replace(counted, f"element vertex {count}".encode())
    assert content != intact[kind]
    if (kind, count) == ("mixed", "25"):
        content = content[:-30]
    assert not opens(tmp_path / "a.ply", content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("property float x", "property list uchar float x"),
        ("property float x", "property list float x"),
        ("property float x", "property quad x"),
        ("property float x", "property float"),
        ("property float x", "property float \x1b[2J"),
        ("property float x", "property float x y"),
        ("property float x", "property float opacity"),
        ("property float x", "property float xx"),
        ("property float x", "garbage float x"),
        ("element vertex", "element Vertex"),
        ("element vertex", "element vertex 3\nelement vertex"),
        ("1.0\n", "1.0\nproperty float lost\n"),
        ("element vertex", "element first 999999999999999\nproperty double a\nelement vertex"),
        ("end_header", "end_headers"),
        ("end_header", "comment end_header"),
        ("1.0\n", "1.0\nformat ascii 1.0\n"),
        ("1.0\n", "1.0\ncomment " + "x" * 70_000 + "\n"),
        ("ply\n", "plyx\n"),
        ("ply\n", ""),
    ],
)
def test_headers_that_make_no_sense(
    tmp_path: Path, intact: dict[str, bytes], kind: str, old: str, new: str
) -> None:
    content = intact[kind].replace(b"property double x\n", b"property float x\n")
    damaged = content.replace(old.encode(), new.encode(), 1)
    assert damaged != content
    assert not opens(tmp_path / "a.ply", damaged)


@pytest.mark.parametrize("line", [b"format", b"format utf8 1.0", b""])
def test_unknown_encodings(tmp_path: Path, intact: dict[str, bytes], line: bytes) -> None:
    damaged = intact["ours"].replace(b"format binary_little_endian 1.0", line)
    assert not opens(tmp_path / "a.ply", damaged)


@pytest.mark.parametrize("new_type", ["char", "uchar", "short", "int", "uint", "half", "double"])
def test_swapped_types(tmp_path: Path, intact: dict[str, bytes], new_type: str) -> None:
    content = intact["ours"]
    for place in (b"float x", b"float opacity", b"float rot_3"):
        opens(tmp_path / "a.ply", content.replace(place, new_type.encode() + place[5:]))
    opens(tmp_path / "a.ply", content.replace(b"float", new_type.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "1.0.0",
        "--1",
        "0x1p3",
        "1,5",
        "\0",
        "\N{SUPERSCRIPT TWO}",
        "x" * 3_000_000,
        "9" * 3_000_000,
    ],
)
def test_ascii_values_that_are_no_numbers(
    tmp_path: Path, intact: dict[str, bytes], text: str
) -> None:
    start = data_start(intact["ascii"])
    header, data = intact["ascii"][:start], intact["ascii"][start:]
    values = data.split(b" ")
    values[7] = text.encode()
    assert not opens(tmp_path / "a.ply", header + b" ".join(values))


def test_thousands_of_properties(tmp_path: Path) -> None:
    names = [*gaussian_properties(0), *(f"a{i}" for i in range(2500))]
    lines = ["ply", "format binary_little_endian 1.0", "element vertex 3"]
    header = "\n".join([*lines, *(f"property uchar {n}" for n in names), "end_header\n"])
    assert opens(tmp_path / "a.ply", header.encode() + b"\x05" * 3 * len(names))
    assert len(load_scene(tmp_path / "a.ply").scene.columns) == 2500


def absurd_files(folder: Path, intact: bytes) -> Iterator[Path]:
    for i, count in enumerate(("4000000000", "200000000000", "999999999999999999")):
        path = folder / f"{i}.ply"
        path.write_bytes(intact.replace(b"vertex %d" % COUNT, b"vertex " + count.encode()))
        yield path


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_nothing_is_allocated_for_what_the_file_does_not_hold(
    tmp_path: Path, intact: dict[str, bytes]
) -> None:
    """Under a limit of memory, absurd counts are refused for what they are, not for want of it."""
    files = [path for content in intact.values() for path in absurd_files(tmp_path, content)]
    script = f"""{LITTLE_MEMORY}
for path in sys.argv[1:]:
    try:
        load_scene(path)
    except UserError as error:
        if "is too short" not in error.message:
            sys.exit(error.message)
    else:
        sys.exit("opened")
"""
    subprocess.run([sys.executable, "-c", script, *files], check=True, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_file_too_large_for_the_memory_is_said_to_be(tmp_path: Path) -> None:
    """A sparse file does hold what its header promises, at least by its size."""
    save_scene(random_scene(1, 0), tmp_path / "a.ply")
    content = (tmp_path / "a.ply").read_bytes().replace(b"vertex 1\n", b"vertex 20000000\n")
    (tmp_path / "a.ply").write_bytes(content)
    with (tmp_path / "a.ply").open("r+b") as file:
        file.truncate(len(content) + 20_000_000 * 68)
    script = f"""{LITTLE_MEMORY}
try:
    load_scene(sys.argv[1])
except UserError as error:
    sys.exit(0 if "not enough memory" in error.message else error.message)
"""
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.ply"], check=True, timeout=60)
