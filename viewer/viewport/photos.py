"""Photos of the dataset as pictures: decoded once, and laid where another camera would see them."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera, View
from core.datasets import load_photo, over_background
from core.errors import UserError

CACHE_BYTES = 256 * 2**20
WORTH_SHRINKING = 0.9

Color = tuple[float, float, float]
Bytes = NDArray[np.uint8]


class PhotoCache:
    """Decoded photos, the least recently used ones dropped once they take too much memory.

    May be used from several threads. A photo that could not be read is remembered as well, until
    its file changes.

    Parameters
    ----------
    budget
        Most bytes to hold.
    """

    def __init__(self, budget: int = CACHE_BYTES) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Any, ...], tuple[View, Bytes | UserError]] = OrderedDict()

    @property
    def bytes_held(self) -> int:
        """Bytes of all photos held."""
        with self._lock:
            return self._held()

    def pixels(self, view: View, background: Color, size: tuple[int, int] | None = None) -> Bytes:
        """The photo over a background, read-only uint8 ``(H, W, 3)``.

        ``size`` is width and height; None for the size of the view's camera.

        Raises
        ------
        UserError
            If there is no photo or it cannot be read.
        """
        camera = view.camera
        size = (camera.width, camera.height) if size is None else size
        key = (id(view), _stamp(view), background, size)
        with self._lock:
            kept = self._entries.get(key)
            if kept is None:
                kept = (view, self._made(view, background, size))
                self._entries[key] = kept
                while self._held() > self._budget and len(self._entries) > 1:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(key)
        if isinstance(kept[1], UserError):
            raise UserError(kept[1].message, kept[1].hint)
        return kept[1]

    def _held(self) -> int:
        return sum(
            made.nbytes for _, made in self._entries.values() if isinstance(made, np.ndarray)
        )

    def _made(self, view: View, background: Color, size: tuple[int, int]) -> Bytes | UserError:
        import cv2

        try:
            photo = over_background(load_photo(view), background)
        except UserError as error:
            return error
        if size != (photo.shape[1], photo.shape[0]):
            photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
        photo = np.ascontiguousarray(photo)
        photo.flags.writeable = False
        return photo


_photos = PhotoCache()


def photo_at(view: View, background: Color, width: int, height: int) -> Tensor:
    """The photo over a background at a size in pixels, float32 ``(H, W, 3)`` in 0..1.

    Raises
    ------
    UserError
        If there is no photo or it cannot be read.
    """
    return torch.from_numpy(_photos.pixels(view, background, (width, height)) / np.float32(255))


def photo_picture(view: View, camera: Camera, background: Color) -> Tensor:
    """The photo as a camera at the same place sees it, float32 ``(H, W, 3)`` in 0..1.

    Transparent parts show the background. NaN where the photo does not reach. The directions and
    intrinsics of the two cameras may differ; their places are taken to be the same.

    Raises
    ------
    UserError
        If there is no photo or it cannot be read.
    """
    source = view.camera.scaled(_useful_scale(view.camera, camera))
    pixels = _photos.pixels(view, background, (source.width, source.height))
    picture = seen_from(np.divide(pixels, 255, dtype=np.float32), source, camera)
    return torch.from_numpy(picture)


def seen_from(picture: NDArray[np.float32], source: Camera, camera: Camera) -> NDArray[np.float32]:
    """A picture taken by one camera as another at the same place sees it, ``(H, W)`` or more.

    ``picture`` has the size of ``source``; NaN where it does not reach.
    """
    import cv2

    size = camera.width, camera.height
    shape = (camera.height, camera.width, *picture.shape[2:])
    if source.forward @ camera.forward <= 0:
        return np.full(shape, np.nan, np.float32)
    scale = _useful_scale(source, camera)
    if scale < WORTH_SHRINKING:
        smaller = source.scaled(scale)
        picture = cv2.resize(  # type: ignore[assignment]
            picture, (smaller.width, smaller.height), interpolation=cv2.INTER_AREA
        )
        source = smaller
    turn = source.world_to_camera[:3, :3] @ camera.world_to_camera[:3, :3].T
    to_source = source.K @ turn @ np.linalg.inv(camera.K)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    to_source = np.linalg.inv(half) @ to_source @ half
    flags = cv2.WARP_INVERSE_MAP
    laid = cv2.warpPerspective(
        picture, to_source, size, flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpPerspective(
        np.ones((source.height, source.width), np.uint8),
        to_source,
        size,
        flags=flags | cv2.INTER_NEAREST,
    )
    result = np.asarray(laid, np.float32).reshape(shape)
    result[inside == 0] = np.nan
    return result


def _useful_scale(source: Camera, camera: Camera) -> float:
    """Share of the source's resolution that the other camera can show, at most 1."""
    return min(1.0, float(camera.K[0, 0] / source.K[0, 0]))


def _stamp(view: View) -> tuple[int, int] | None:
    """What changes when the photo's file does."""
    try:
        found = None if view.photo is None else view.photo.stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)
