"""Photos of views: found, measured by their headers, undistorted and resized."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from core.cameras import Camera, Lens, Matrix, Split, View
from core.datasets.poses import picture_size
from core.errors import UserError

if TYPE_CHECKING:
    import pycolmap

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
PHOTO_FOLDERS = ("images", "images_2", "images_4", "images_8")
_MAX_PHOTO_PIXELS = 2**26
_PINHOLES = frozenset({"SIMPLE_PINHOLE", "PINHOLE"})
_MAX_TANGENT = 1.75  # undistorted pictures reach at most 60 degrees from the axis
_BORDER_SAMPLES = 65
_PREMULTIPLIED = {"RGBA": "RGBa", "RGB": "RGB"}

Photo = NDArray[np.uint8]


def find_photo(folders: Sequence[Path], name: str) -> Path | None:
    """The first existing photo called ``name`` in ``folders``, its suffix perhaps left out.

    Only files with a photo's suffix are ever looked for.
    """
    relative = Path(name.replace("\\", "/"))
    names = [relative] if relative.suffix.lower() in PHOTO_SUFFIXES else []
    for suffix in PHOTO_SUFFIXES:
        names += [Path(f"{relative}{suffix}"), Path(f"{relative}{suffix.upper()}")]
    for folder in folders:
        for candidate in names:
            try:
                if (folder / candidate).is_file():
                    return folder / candidate
            except (OSError, ValueError):
                return None
    return None


def make_view(
    world_to_camera: Matrix, lens: Lens, name: str, photo: Path | None, split: Split, file: Path
) -> View:
    """A view whose pinhole camera fits the undistorted photo at the photo's own size.

    ``lens`` may be given for another size of the same picture; ``file`` is named in errors.

    Raises
    ------
    UserError
        If the photo has another shape than the lens, or the lens has no pinhole picture.
    """
    size = lens.width, lens.height
    if photo is not None:
        size = _photo_size(photo, lens)
    if size[0] * size[1] > _MAX_PHOTO_PIXELS:
        raise UserError(
            f"{photo or file}: the picture of {name} has {size[0]} x {size[1]} pixels.",
            f"Scale the photos down to at most {_MAX_PHOTO_PIXELS >> 20} megapixels.",
        )
    scaled = _scaled(lens, *size)
    if scaled.model in _PINHOLES:
        K = np.array(_model(scaled).calibration_matrix())
        return View(Camera(world_to_camera, K, *size, name), photo, split)
    K = _undistorted_intrinsics(scaled, file)
    return View(Camera(world_to_camera, K, *size, name), photo, split, scaled)


def load_photo(view: View) -> Photo:
    """The photo as its pinhole camera would have taken it, uint8 ``(H, W, 3)`` or ``(H, W, 4)``.

    Undistorted, at the camera's size; the fourth channel is straight (not premultiplied) alpha.

    Raises
    ------
    UserError
        If there is no photo or it cannot be read.
    """
    if view.photo is None:
        raise UserError(
            f"There is no photo for view {view.name}.",
            "Put the photos beside the cameras (folder images), or work without photos.",
        )
    size = view.camera.width, view.camera.height
    try:
        with Image.open(view.photo) as file:
            turned = _is_turned(file, size)
            picture = _eight_bit(ImageOps.exif_transpose(file) if turned else file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(view.photo) from error
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    if view.lens is None:
        return np.asarray(picture)
    import cv2

    map_x, map_y = _undistortion_maps(
        _scaled(view.lens, *size), tuple(view.camera.K.ravel().tolist()), *size
    )
    mode = _PREMULTIPLIED[picture.mode]
    pixels = np.asarray(picture.convert(mode))
    pixels = cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    height, width = pixels.shape[:2]
    straight = Image.frombuffer(mode, (width, height), pixels.tobytes(), "raw", mode, 0, 1)
    return np.asarray(straight.convert(picture.mode))


def over_background(photo: Photo, background: tuple[float, float, float]) -> Photo:
    """A photo with its transparent parts over a colour in 0..1, uint8 ``(H, W, 3)``."""
    if photo.shape[2] == 3:
        return photo
    alpha = photo[..., 3:].astype(np.float32) / 255
    behind = np.array(background, np.float32) * 255
    mixed = photo[..., :3] * alpha + behind * (1 - alpha)
    return np.asarray(np.rint(mixed), np.uint8)


def header_size(photo: Path) -> tuple[int, int]:
    """Width and height that the file's header states; the pixels are not read."""
    try:
        with Image.open(photo) as file:
            return picture_size(*file.size, "the photo", photo)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(photo) from error


def may_be_transparent(photo: Path) -> bool:
    """Whether the file's header tells of transparency; False if it cannot be read."""
    try:
        with Image.open(photo) as file:
            return _has_alpha(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _photo_size(photo: Path, lens: Lens) -> tuple[int, int]:
    """Size of the photo from its header, upright as the lens is."""
    try:
        with Image.open(photo) as file:
            size = file.size
            if _is_turned(file, (lens.width, lens.height)):
                size = size[::-1]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(photo) from error
    size = picture_size(*size, "the photo", photo)
    ratio = size[0] * lens.height / (size[1] * lens.width)
    if abs(ratio - 1) > 0.02 + 1 / min(size):
        raise UserError(
            f"{photo} is {size[0]} x {size[1]} pixels, but its camera is for "
            f"{lens.width} x {lens.height}.",
            "Use the photos that the cameras were computed from, or scaled copies of them.",
        )
    return size


def _is_turned(file: Image.Image, size: tuple[int, int]) -> bool:
    """Whether the photo lies on its side by its EXIF tag and the camera stands, or the reverse."""
    (width, height), (camera_width, camera_height) = file.size, size
    if (width - height) * (camera_width - camera_height) >= 0:
        return False
    return file.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """RGB, or RGBA where the photo has transparency, with 8 bits a channel."""
    if picture.mode.startswith("I"):
        deep = np.asarray(picture)
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
    return picture.convert("RGBA" if _has_alpha(picture) else "RGB")


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _unreadable(photo: Path) -> UserError:
    return UserError(
        f"{photo} cannot be read as a picture.",
        "Replace the file, or remove its view; JPEG, PNG, WebP, TIFF and BMP can be read.",
    )


def _model(lens: Lens) -> "pycolmap.Camera":
    """The lens as a COLMAP camera."""
    import pycolmap

    return pycolmap.Camera(
        model=lens.model, width=lens.width, height=lens.height, params=list(lens.params)
    )


@lru_cache(maxsize=1024)
def _scaled(lens: Lens, width: int, height: int) -> Lens:
    """The same lens for a photo of another size."""
    if (lens.width, lens.height) == (width, height):
        return lens
    model = _model(lens)
    model.rescale(width, height)
    return Lens(lens.model, tuple(float(p) for p in model.params), width, height)


@lru_cache(maxsize=1024)
def _undistorted_intrinsics(lens: Lens, file: Path) -> Matrix:
    """Intrinsics of the largest undistorted picture of the photo's size without empty borders.

    The photo's border is carried to the plane at depth 1; the inscribed rectangle is cropped to
    the photo's ratio of sides, keeping the ratio of focal lengths.
    """
    model = _model(lens)
    w, h = lens.width, lens.height
    along = np.linspace(0.0, 1.0, _BORDER_SAMPLES)
    zero, one = np.zeros_like(along), np.ones_like(along)

    def side(x: Matrix, y: Matrix, axis: int, outside: float) -> Matrix:
        pixels = np.stack([x * w, y * h], axis=1)
        plane = np.asarray(model.cam_from_img(pixels))
        back = np.asarray(model.img_from_cam(np.column_stack([plane, np.ones(len(plane))])))
        seen = np.abs(back - pixels).max(axis=1) < 0.5
        return np.where(seen, plane[:, axis], outside)

    left = max(-_MAX_TANGENT, side(zero, along, 0, -np.inf).max())
    right = min(_MAX_TANGENT, side(one, along, 0, np.inf).min())
    top = max(-_MAX_TANGENT, side(along, zero, 1, -np.inf).max())
    bottom = min(_MAX_TANGENT, side(along, one, 1, np.inf).min())
    fx, fy = model.focal_length_x, model.focal_length_y
    zoom = max(w / fx / max(right - left, 1e-9), h / fy / max(bottom - top, 1e-9))
    fx, fy = fx * zoom, fy * zoom
    start_x = np.clip(-model.principal_point_x / w * (w / fx), left, right - w / fx)
    start_y = np.clip(-model.principal_point_y / h * (h / fy), top, bottom - h / fy)
    K = np.array([[fx, 0, -start_x * fx], [0, fy, -start_y * fy], [0, 0, 1.0]])
    if not _is_one_to_one(model, K, w, h):
        raise UserError(
            f"{file}: the {lens.model} lens distortion cannot be undone.",
            "Undistort the photos first, for example with colmap image_undistorter.",
        )
    K.flags.writeable = False
    return K


def _is_one_to_one(model: "pycolmap.Camera", K: Matrix, width: int, height: int) -> bool:
    """Whether the undistorted picture lies in the photo and each of its points comes back."""
    x, y = np.meshgrid(np.linspace(0, width, 17), np.linspace(0, height, 17))
    rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3) @ np.linalg.inv(K).T
    pixels = np.asarray(model.img_from_cam(rays))
    slack = 1 + 0.01 * max(width, height)
    inside = (pixels >= -slack) & (pixels <= (width + slack, height + slack))
    error = np.abs(np.asarray(model.cam_from_img(pixels)) - rays[:, :2]) * (K[0, 0], K[1, 1])
    return bool(inside.all() and (error < 0.5).all())


@lru_cache(maxsize=2)
def _undistortion_maps(
    lens: Lens, intrinsics: tuple[float, ...], width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For each undistorted pixel where it lies in the photo, in OpenCV's pixel coordinates."""
    K = np.array(intrinsics).reshape(3, 3)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3) @ np.linalg.inv(K).T
    pixels = np.asarray(_model(lens).img_from_cam(rays), dtype=np.float32) - 0.5
    pixels = pixels.reshape(height, width, 2)
    return np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])
