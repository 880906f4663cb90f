"""Fixtures for every test: where real data lies, and what the machine can do."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real captures and scenes; not part of the project."""
    folder = os.environ.get("SPLATSCOPE_DATA")
    if not folder:
        pytest.skip("SPLATSCOPE_DATA is not set to a folder of real scenes")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no NVIDIA GPU")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
