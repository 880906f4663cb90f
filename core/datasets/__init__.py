"""Posed photos: read from COLMAP, transforms.json and cameras.json, split, undistorted."""

from core.datasets.dataset import Dataset, DatasetKind
from core.datasets.load import load_dataset
from core.datasets.photos import load_photo, over_background

__all__ = ["Dataset", "DatasetKind", "load_dataset", "load_photo", "over_background"]
