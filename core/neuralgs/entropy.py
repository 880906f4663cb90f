"""An adaptive binary range coder, and the three things that are coded with it.

All of it is arithmetic of whole numbers: every machine writes and reads the same bytes. The range
coder is the carry-propagating one of LZMA; each binary decision has two counters of its context,
one that learns fast and one that learns slowly, and is coded by their mean.

Nothing that is read leads outside of what the caller allotted: bytes beyond the end are zeros, and
what is too much is told.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.rendering.cpu.common import I32, U, function, kernel

Bytes = NDArray[np.uint8]
State = NDArray[np.uint64]
Models = NDArray[np.uint16]

_HALF = np.uint16(32768)
_FAST, _SLOW = 4, 7
_LEAST, _MOST = U(64), U(65472)
_TOP = U(1 << 24)
_SPARE = 256
"""Bytes of room that no single symbol needs more than."""
_LOW, _RANGE, _CACHE, _PENDING, _PLACE = range(5)
_CODE = 0

_ESCAPE = 18
"""Magnitudes from here on are written in bits."""
_NEAR = 12
"""Contexts of a code by its neighbours."""
_COLUMN = _NEAR + 1 + 3 * _ESCAPE + 8
_CHILDREN = 4
"""Contexts of a node by how many siblings it has."""
_TREE = 256


@function
def _started() -> State:
    state = np.zeros(5, np.uint64)
    state[_RANGE] = U(0xFFFFFFFF)
    state[_PENDING] = U(1)
    return state


@function
def _roomy(out: Bytes, state: State) -> Bytes:
    """The bytes so far with room for one more symbol."""
    needed = state[_PLACE] + state[_PENDING] + U(_SPARE)
    if needed <= U(len(out)):
        return out
    larger = np.empty(2 * int(needed), np.uint8)
    larger[: len(out)] = out
    return larger


@function
def _shift(out: Bytes, state: State) -> None:
    low = state[_LOW]
    if low < U(0xFF000000) or low > U(0xFFFFFFFF):
        carry = low >> U(32)
        byte = state[_CACHE]
        while state[_PENDING] > U(0):
            out[state[_PLACE]] = np.uint8((byte + carry) & U(0xFF))
            state[_PLACE] += U(1)
            state[_PENDING] -= U(1)
            byte = U(0xFF)
        state[_CACHE] = (low >> U(24)) & U(0xFF)
    state[_PENDING] += U(1)
    state[_LOW] = (low & U(0x00FFFFFF)) << U(8)


@function
def _chance(models: Models, context: int) -> Any:
    """Of a zero, in 1/65536."""
    mean = (U(models[context, 0]) + U(models[context, 1])) >> U(1)
    return min(max(mean, _LEAST), _MOST)


@function
def _learn(models: Models, context: int, bit: int) -> None:
    fast, slow = int(models[context, 0]), int(models[context, 1])
    if bit:
        fast -= fast >> _FAST
        slow -= slow >> _SLOW
    else:
        fast += (65535 - fast) >> _FAST
        slow += (65535 - slow) >> _SLOW
    models[context, 0], models[context, 1] = np.uint16(fast), np.uint16(slow)


@function
def _put(out: Bytes, state: State, models: Models, context: int, bit: int) -> None:
    bound = (state[_RANGE] >> U(16)) * _chance(models, context)
    if bit:
        state[_LOW] += bound
        state[_RANGE] -= bound
    else:
        state[_RANGE] = bound
    _learn(models, context, bit)
    while state[_RANGE] < _TOP:
        state[_RANGE] <<= U(8)
        _shift(out, state)


@function
def _ended(out: Bytes, state: State) -> Bytes:
    out = _roomy(out, state)
    for _ in range(5):
        _shift(out, state)
    return out[: int(state[_PLACE])]


@function
def _next_byte(data: Bytes, state: State) -> Any:
    place = state[_PLACE]
    state[_PLACE] = place + U(1)
    return U(data[place]) if place < U(len(data)) else U(0)


@function
def _opened(data: Bytes) -> State:
    state = np.zeros(5, np.uint64)
    state[_RANGE] = U(0xFFFFFFFF)
    for _ in range(5):
        state[_CODE] = ((state[_CODE] << U(8)) | _next_byte(data, state)) & U(0xFFFFFFFF)
    return state


@function
def _get(data: Bytes, state: State, models: Models, context: int) -> Any:
    bound = (state[_RANGE] >> U(16)) * _chance(models, context)
    bit = state[_CODE] >= bound
    if bit:
        state[_CODE] -= bound
        state[_RANGE] -= bound
    else:
        state[_RANGE] = bound
    _learn(models, context, bit)
    while state[_RANGE] < _TOP:
        state[_RANGE] <<= U(8)
        state[_CODE] = ((state[_CODE] << U(8)) | _next_byte(data, state)) & U(0xFFFFFFFF)
    return bit


@kernel
def encode_symbols(symbols: I32, contexts: I32, context_count: int, depth: int) -> Bytes:
    """Whole numbers below ``2**depth``, int32 ``(N,)``, each with a context, int32 ``(N,)``."""
    models = np.full((context_count << depth, 2), _HALF, np.uint16)
    out, state = np.empty(len(symbols) + _SPARE, np.uint8), _started()
    for i in range(len(symbols)):
        out = _roomy(out, state)
        node, base = 1, contexts[i] << depth
        for level in range(depth - 1, -1, -1):
            bit = (symbols[i] >> level) & 1
            _put(out, state, models, base + node, bit)
            node = 2 * node + bit
    return _ended(out, state)


@kernel
def decode_symbols(data: Bytes, contexts: I32, context_count: int, depth: int) -> I32:
    """The inverse of :func:`encode_symbols`, int32 ``(N,)``.

    A context of -1 stands for the symbol before, which counts as 0 at the start and modulo
    ``context_count``.
    """
    models = np.full((context_count << depth, 2), _HALF, np.uint16)
    state = _opened(data)
    symbols = np.empty(len(contexts), np.int32)
    before = 0
    for i in range(len(contexts)):
        context = contexts[i] if contexts[i] >= 0 else before % context_count
        node, base = 1, context << depth
        for _ in range(depth):
            node = 2 * node + (1 if _get(data, state, models, base + node) else 0)
        before = node - (1 << depth)
        symbols[i] = before
    return symbols


@function
def _near(codes: NDArray[np.int8], row: int, column: int) -> int:
    """The context of a code: the two before it in its column, and its left neighbour."""
    above = 0
    if row > 0:
        above += abs(int(codes[row - 1, column]))
    if row > 1:
        above += abs(int(codes[row - 2, column]))
    beside = abs(int(codes[row, column - 1])) if column > 0 else 0
    return 3 * min(above, 3) + min(beside, 2)


@kernel
def encode_codes(codes: NDArray[np.int8]) -> Bytes:
    """Whole numbers around 0, int8 ``(N, Z)`` from -127 to 127, row by row."""
    rows, columns = codes.shape
    models = np.full((max(1, columns) * _COLUMN, 2), _HALF, np.uint16)
    out, state = np.empty(rows + _SPARE, np.uint8), _started()
    for row in range(rows):
        for column in range(columns):
            out = _roomy(out, state)
            code, base = int(codes[row, column]), column * _COLUMN
            near = _near(codes, row, column)
            _put(out, state, models, base + near, code != 0)
            if code == 0:
                continue
            base += _NEAR
            _put(out, state, models, base, code < 0)
            base += 1
            size, wide = abs(code), base + min(near // 4, 2) * _ESCAPE
            for step in range(1, _ESCAPE + 1):
                _put(out, state, models, wide + step - 1, size > step)
                if size <= step:
                    break
            if size > _ESCAPE:
                for level in range(7):
                    bit = ((size - _ESCAPE - 1) >> level) & 1
                    _put(out, state, models, base + 3 * _ESCAPE + level, bit)
    return _ended(out, state)


@kernel
def decode_codes(data: Bytes, rows: int, columns: int) -> NDArray[np.int8]:
    """The inverse of :func:`encode_codes`."""
    models = np.full((max(1, columns) * _COLUMN, 2), _HALF, np.uint16)
    state = _opened(data)
    codes = np.zeros((rows, columns), np.int8)
    for row in range(rows):
        for column in range(columns):
            base = column * _COLUMN
            near = _near(codes, row, column)
            if not _get(data, state, models, base + near):
                continue
            base += _NEAR
            negative = _get(data, state, models, base)
            base += 1
            size, wide = 1, base + min(near // 4, 2) * _ESCAPE
            while size <= _ESCAPE and _get(data, state, models, wide + size - 1):
                size += 1
            if size > _ESCAPE:
                for level in range(7):
                    if _get(data, state, models, base + 3 * _ESCAPE + level):
                        size += 1 << level
            size = min(size, 127)
            codes[row, column] = -size if negative else size
    return codes


@function
def _ones(number: int) -> int:
    count = 0
    while number:
        number &= number - 1
        count += 1
    return count


@function
def _occupancy_base(level: int, siblings: int) -> int:
    return (level * _CHILDREN + min(siblings, _CHILDREN) - 1) * _TREE


@kernel
def encode_cells(codes: State, bits: int) -> Bytes:
    """Morton codes of cells, uint64 ``(N,)``, rising, as an octree, level by level.

    Each node says which of its eight children are there; at the end each cell says how many times
    it is there.
    """
    count = len(codes)
    models = np.full((bits * _CHILDREN * _TREE + 8, 2), _HALF, np.uint16)
    out, state = np.empty(count + _SPARE, np.uint8), _started()
    siblings = np.ones(count, np.uint8)
    for level in range(bits):
        shift = U(3 * (bits - level))
        child = U(3 * (bits - level - 1))
        first = 0
        while first < count:
            last, occupied = first, 0
            while last < count and codes[last] >> shift == codes[first] >> shift:
                occupied |= 1 << int((codes[last] >> child) & U(7))
                last += 1
            out = _roomy(out, state)
            base, node, seen = _occupancy_base(level, int(siblings[first])), 1, 0
            for place in range(8):
                bit = (occupied >> place) & 1
                if place < 7 or seen:
                    _put(out, state, models, base + node, bit)
                node = 2 * node + bit
                seen |= bit
            siblings[first:last] = _ones(occupied)
            first = last
    base = bits * _CHILDREN * _TREE
    first = 0
    while first < count:
        last = first + 1
        while last < count and codes[last] == codes[first]:
            last += 1
        for number in range(1, last - first + 1):
            out = _roomy(out, state)
            _put(out, state, models, base + min(number, 8) - 1, number < last - first)
        first = last
    return _ended(out, state)


@kernel
def decode_cells(data: Bytes, count: int, bits: int) -> State:
    """The inverse of :func:`encode_cells`; an empty array where there are not ``count`` cells."""
    models = np.full((bits * _CHILDREN * _TREE + 8, 2), _HALF, np.uint16)
    state = _opened(data)
    nodes, siblings = np.zeros(count, np.uint64), np.ones(count, np.uint8)
    children, theirs = np.empty(count, np.uint64), np.empty(count, np.uint8)
    nothing = np.empty(0, np.uint64)
    known = min(1, count)
    for level in range(bits):
        found = 0
        for i in range(known):
            base, node, seen = _occupancy_base(level, int(siblings[i])), 1, 0
            first = found
            for place in range(8):
                bit = 1
                if place < 7 or seen:
                    bit = 1 if _get(data, state, models, base + node) else 0
                node = 2 * node + bit
                seen |= bit
                if bit:
                    if found == count:
                        return nothing
                    children[found] = (nodes[i] << U(3)) | U(place)
                    found += 1
            theirs[first:found] = found - first
        nodes, children = children, nodes
        siblings, theirs = theirs, siblings
        known = found
    cells = np.empty(count, np.uint64)
    base = bits * _CHILDREN * _TREE
    done = 0
    for i in range(known):
        number, more = 0, True
        while more:
            if done == count:
                return nothing
            cells[done] = nodes[i]
            done += 1
            number += 1
            more = _get(data, state, models, base + min(number, 8) - 1)
    return cells if done == count else nothing
