"""What all CPU kernels share: how they are compiled, tiles, constants, 2^x, work sharing.

Kernels are plain numba functions that release the GIL and work on a range of Gaussians or on tiles
handed out by an atomic counter. numba's own parallel loops are not used: their default threading
layer aborts the process when two Python threads call it at once.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
Real: TypeAlias = Any
"""A float32 scalar inside a kernel."""

Function = TypeVar("Function", bound=Callable[..., Any])

F = np.float32
U = np.uint64
"""Unsigned indices: with them LLVM sees that an offset cannot wrap around, and vectorises."""

TILE_WIDTH = 16
TILE_HEIGHT = 16
TILE_PIXELS = TILE_WIDTH * TILE_HEIGHT
RECORD_SIZE = 12

NEAR = F(0.01)
FAR = F(1e10)
EPS2D = F(0.3)
"""Variance of the screen-space low-pass filter, pixels^2."""
MAX_ALPHA = F(0.999)
MIN_ALPHA = F(1 / 255)
STOP_TRANSMITTANCE = F(1e-4)
LOG2_MIN_ALPHA = F(math.log2(1 / 255))
LOG2E = F(math.log2(math.e))
LN2 = F(math.log(2))

_MIN_PART = 2048
"""Gaussians that are worth waking a thread for."""

# 'nnan' and 'ninf' stay out: lanes that are masked off may overflow, and the guards against NaN in
# a scene must survive. 'reassoc' is what lets sums over pixels become vector reductions.
_FAST_MATH = {"contract", "reassoc", "nsz", "arcp", "afn"}


def kernel(function: Function) -> Function:
    """Compile a function that is called from Python: cached on disk, without the GIL.

    ``error_model="numpy"``: a branch for division by zero would stop vectorisation.
    """
    compiled: Function = njit(fastmath=_FAST_MATH, error_model="numpy", nogil=True, cache=True)(
        function
    )
    return compiled


def inline(function: Function) -> Function:
    """Compile a helper that is pasted into the kernels that call it."""
    compiled: Function = njit(fastmath=_FAST_MATH, error_model="numpy", inline="always")(function)
    return compiled


def function(function: Function) -> Function:
    """Compile a helper that kernels call; what its arguments are is left to them."""
    compiled: Function = njit(error_model="numpy", nogil=True)(function)
    return compiled


_EXP2 = tuple(
    F(c)
    for c in (
        0.9999999403953552,
        0.6931430101394653,
        0.24017639458179474,
        0.05528896674513817,
        0.00919757504016161,
        0.0009419664856977761,
    )
)
_C0, _C1, _C2, _C3, _C4, _C5 = _EXP2


@inline
def exp2(x: Real) -> Real:
    """2**x for x in [-8, 0], relative error 2e-6; below, an x down to -9 is extrapolated.

    A degree-5 minimax polynomial of 2**t on [-1, 0.01] at t = x / 8, squared three times: no bit
    tricks, so it vectorises on every instruction set.
    """
    t = max(x, F(-9)) * F(0.125)
    p = _C0 + t * (_C1 + t * (_C2 + t * (_C3 + t * (_C4 + t * _C5))))
    p *= p
    p *= p
    return p * p


@intrinsic
def fetch_add(
    typing_context: Any, array: types.Array, value: types.Integer
) -> tuple[Signature, Callable[..., ir.Value]]:
    """``fetch_add(array, value)``: add to int64 ``array[0]`` atomically, return what it was."""

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, args: list[ir.Value]
    ) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, args[1], "monotonic")

    return types.int64(array, types.int64), codegen


class Workers:
    """A team of threads for kernels; the calling thread is one of them.

    Any number of Python threads may use one team at once: its tasks never wait for each other.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._executor = ThreadPoolExecutor(max(1, count - 1), thread_name_prefix="rasterizer")

    def each(self, parts: int, function: Callable[[int], Any]) -> list[Any]:
        """``function(part)`` for part = 0 .. parts - 1, at once; the results in that order."""
        return self._run([(function, (part,)) for part in range(parts)])

    def ranges(self, n: int, function: Callable[..., Any], *args: Any) -> list[Any]:
        """``function(first, last, *args)`` over the parts of ``range(n)`` that ``cuts`` makes."""
        cuts = self.cuts(n)
        return self._run([(function, (*cut, *args)) for cut in pairwise(cuts)])

    def tiles(self, function: Callable[..., Any], *args: Any) -> None:
        """``function(*args, counter)`` on every worker, which takes tiles by ``fetch_add``."""
        counter = np.zeros(1, np.int64)
        self._run([(function, (*args, counter))] * self.count)

    def cuts(self, n: int) -> list[int]:
        """Ends of equal parts of ``range(n)``: one part a worker, fewer if they would be small."""
        parts = min(self.count, 1 + n // _MIN_PART)
        return [n * part // parts for part in range(parts + 1)]

    def _run(self, calls: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
        """Run all calls, the first on this thread; return only once none is running."""
        futures: list[Future[Any]] = [
            self._executor.submit(function, *args) for function, args in calls[1:]
        ]
        try:
            function, args = calls[0]
            first = function(*args)
        finally:
            wait(futures)
        return [first, *(future.result() for future in futures)]


_workers = Workers(os.cpu_count() or 1)


def workers() -> Workers:
    """The team in use."""
    return _workers


def set_num_threads(count: int) -> None:
    """Set how many threads the CPU renderer uses; results do not depend on it.

    Renders under way finish with the old team, which ends when the last of them lets go of it.
    """
    global _workers
    if count < 1:
        raise ValueError("at least one thread is needed")
    _workers = Workers(count)
