"""Which JSON files are scenes to the window, and what its dialogs list."""

from pathlib import Path

from core.formats import save_scene
from tests.core.formats_examples import random_scene
from viewer.files import _load_filters
from viewer.session import is_dataset


def test_only_the_json_of_a_scene_is_a_scene(tmp_path: Path) -> None:
    save_scene(random_scene(5, 0), tmp_path / "meta.json")
    (tmp_path / "cameras.json").write_text("[]")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "meta.json").write_text('{"frames": []}')
    assert not is_dataset(tmp_path / "meta.json")
    assert is_dataset(tmp_path / "cameras.json")
    assert is_dataset(tmp_path / "other" / "meta.json")
    assert is_dataset(tmp_path)


def test_dialogs_list_what_is_opened_by_name() -> None:
    scenes = _load_filters()[0]
    assert all(f"*{suffix}" in scenes for suffix in (".ply", ".spz", ".sog"))
    assert " meta.json" in scenes
    assert "*.json" not in scenes
