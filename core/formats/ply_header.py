"""PLY headers: elements and their properties, from a bounded number of bytes.

Format: Greg Turk, "The PLY Polygon File Format" (1994).
"""

import re
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from core.errors import UserError
from core.formats.format import HEAD_BYTES

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "half": "f2",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
}
_BYTE_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_END = re.compile(rb"(?:^|[\r\n])end_header[ \t]*(\r\n|\n|\r)")
_NEWLINE = re.compile(rb"\r\n|\n|\r")
_MAX_COUNT_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Property:
    """A named value of every item of an element; ``type`` is a numpy type code."""

    name: str
    type: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Element:
    """A table of the file: ``count`` rows with the same properties."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)

    @property
    def is_fixed(self) -> bool:
        """Whether all rows have the same size, that is, hold no lists."""
        return not any(prop.is_list for prop in self.properties)

    def row_type(self, byte_order: str) -> np.dtype[np.void]:
        """One row as stored; fields are named by their position."""
        if not self.is_fixed:
            raise UserError(f"its {self.name!r} element holds lists.")
        return np.dtype([(str(i), byte_order + p.type) for i, p in enumerate(self.properties)])


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header: ``size`` is its length in bytes, so the data start there."""

    is_ascii: bool
    byte_order: str
    elements: tuple[Element, ...]
    comments: tuple[str, ...]
    size: int


def is_ply(head: bytes) -> bool:
    """Whether a file that begins so is a PLY."""
    return re.match(rb"ply[ \t]*[\r\n]", head) is not None


def has_chunks(head: bytes) -> bool:
    """Whether a PLY has an element of that name: then its Gaussians are packed."""
    return re.search(rb"[\r\n]element[ \t]+chunk[ \t]", head) is not None


def read_header(file: BinaryIO) -> Header:
    """Parse the header at the start of a PLY file.

    Raises
    ------
    UserError
        If there is no valid header within ``HEAD_BYTES`` bytes.
    """
    head = file.read(HEAD_BYTES)
    end = _END.search(head)
    if end is None:
        raise UserError("its PLY header has no end.", "The file is cut off or damaged.")
    first_newline = _NEWLINE.search(head)
    only_returns = first_newline is not None and first_newline[0] == b"\r"
    size = end.start(1) + (1 if only_returns else len(end[1]))
    lines = re.split(r"\r\n|\n|\r", head[: end.start(1)].decode("utf-8", errors="replace"))
    if lines[0].strip() != "ply":
        raise _damaged(lines[0])

    encoding = ""
    comments: list[str] = []
    elements: list[Element] = []
    for line in lines[1:-1]:
        match line.split():
            case ["comment" | "obj_info", *_]:
                comments.append(line.split(maxsplit=1)[-1].strip())
            case ["format", ("ascii" | "binary_little_endian" | "binary_big_endian") as name, _]:
                if encoding:
                    raise _damaged(line)
                encoding = name
            case ["element", name, count]:
                elements.append(_element(name, count, line, elements))
            case ["property", *words] if elements:
                _add_property(elements[-1], words, line)
            case []:
                pass
            case _:
                raise _damaged(line)
    if not encoding:
        raise UserError("its PLY header has no format line.", "The file is damaged.")
    return Header(
        encoding == "ascii", _BYTE_ORDERS[encoding], tuple(elements), tuple(comments), size
    )


def _element(name: str, count: str, line: str, others: list[Element]) -> Element:
    if not (count.isascii() and count.isdigit() and len(count) <= _MAX_COUNT_DIGITS):
        raise _damaged(line)
    if any(other.name == name for other in others):
        raise UserError(f"its PLY header has two elements named {name!r}.", "The file is damaged.")
    return Element(name, int(count))


def _add_property(element: Element, words: list[str], line: str) -> None:
    match words:
        case ["list", length_type, item_type, name] if length_type in _TYPES:
            prop = Property(name, _TYPES.get(item_type, ""), is_list=True)
        case [item_type, name]:
            prop = Property(name, _TYPES.get(item_type, ""))
        case _:
            raise _damaged(line)
    if not prop.type or not (name.isascii() and name.isprintable()):
        raise _damaged(line)
    element.properties.append(prop)


def _damaged(line: str) -> UserError:
    shown = line if len(line) <= 60 else line[:57] + "..."
    return UserError(f"its PLY header has a line that makes no sense: {shown!r}.")
