"""Fixtures for every test: where real data lies, and what the machine can do."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    import moderngl

    from viewer.viewport.presenter import Presenter


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real captures and scenes; not part of the project."""
    folder = os.environ.get("SPLATSCOPE_DATA")
    if not folder:
        pytest.skip("SPLATSCOPE_DATA is not set to a folder of real scenes")
    return Path(folder)


@pytest.fixture
def context() -> Iterator["moderngl.Context"]:
    """An OpenGL context without a window; none of Qt's can be current as long as this one is."""
    import moderngl

    try:
        context = moderngl.create_context(standalone=True, backend="egl", require=330)
    except Exception as error:
        pytest.skip(f"no OpenGL 3.3 through EGL: {error}")
    with context:
        yield context
    context.release()


@pytest.fixture
def presenter(context: "moderngl.Context") -> Iterator["Presenter"]:
    from viewer.viewport.presenter import Presenter

    presenter = Presenter(context)
    yield presenter
    presenter.release()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no NVIDIA GPU")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
