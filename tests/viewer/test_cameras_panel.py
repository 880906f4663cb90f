"""The Cameras and Scene docks, driven by real events."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from core.cameras import Camera, Split, View, intrinsics, look_at
from core.scene import bytes_per_gaussian
from tests.viewer.window_stage import COUNT, write_scene
from viewer.panels.cameras import CamerasPanel
from viewer.panels.scene import ROWS, ScenePanel
from viewer.panels.views_model import ViewsModel, natural_key
from viewer.session import Session
from viewer.view_photos import PhotoState
from viewer.widgets.numbers import megabytes_text

LEFT = Qt.MouseButton.LeftButton
RED = (200, 30, 40)


def camera(place: float = 0.0, name: str = "", size: tuple[int, int] = (64, 48)) -> Camera:
    pose = look_at((place, 0, -3), (place, 0, 0), (0, -1, 0))
    return Camera(pose, intrinsics(50, *size), *size, name)


def views(count: int = 12, folder: Path | None = None) -> tuple[View, ...]:
    """Names in text order, so that 10 comes before 2; every fourth is for testing."""
    names = sorted(f"photo{number}.png" for number in range(count))
    made = []
    for index, name in enumerate(names):
        photo = None
        if folder is not None:
            photo = folder / name
            Image.fromarray(np.full((48, 64, 3), RED, np.uint8)).save(photo)
        split = Split.TEST if index % 4 == 0 else Split.TRAIN
        made.append(View(camera(float(name[5:-4]), name), photo, split))
    return tuple(made)


@pytest.fixture
def session(qtbot, tmp_path) -> Iterator[Session]:
    session = Session()
    session.messages = []
    session.notified.connect(lambda level, text: session.messages.append((level, text)))
    session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: session.document is not None and not session.runner.busy)
    yield session
    assert session.shut_down()


@pytest.fixture
def here() -> list[Camera]:
    return [camera()]


@pytest.fixture
def panel(qtbot, session, here) -> CamerasPanel:
    panel = CamerasPanel(session, lambda: here[0])
    qtbot.addWidget(panel)
    panel.resize(250, 600)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def names(panel: CamerasPanel) -> list[str]:
    model = panel.model
    return [model.index(row).data() for row in range(model.rowCount())]


def click_row(panel: CamerasPanel, row: int) -> None:
    spot = panel.list.visualRect(panel.model.index(row)).center()
    QTest.mouseClick(panel.list.viewport(), LEFT, pos=spot)


def choose(box, text: str) -> None:
    """Pick an entry of a combo box by keys."""
    box.setFocus()
    wanted = box.findText(text)
    assert wanted >= 0
    QTest.keyClick(box, Qt.Key.Key_Home)
    for _ in range(wanted):
        QTest.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == text


def test_without_cameras_it_says_what_that_means(qtbot, panel) -> None:
    assert panel.heading.full_text == "No cameras"
    assert "generated views" in panel.note.text()
    assert not panel.list.isVisible()
    assert not panel.opacity_row.isVisible()
    with qtbot.waitSignal(panel.attach_asked):
        QTest.mouseClick(panel.attach_button, LEFT)


def test_names_are_sorted_as_a_person_would(panel, session) -> None:
    session.document.views = views()
    assert names(panel) == [f"photo{number}.png" for number in range(12)]
    assert panel.heading.full_text == "12 views"
    assert not panel.attach_button.isVisible()
    mixed = ["b", "A10", "a9", "a", "10", "9", "a9b2", "a9b10"]
    expected = ["9", "10", "a", "a9", "a9b2", "a9b10", "A10", "b"]
    assert sorted(mixed, key=natural_key) == expected


def test_sorting_by_split_and_by_distance(panel, session, here) -> None:
    session.document.views = views()
    choose(panel.sort_box, "Test views first")
    tests = [view.name for view in views() if view.split == Split.TEST]
    assert sorted(names(panel)[:3]) == sorted(tests)
    here[0] = camera(7.2)
    choose(panel.sort_box, "Nearest first")
    assert names(panel)[:3] == ["photo7.png", "photo8.png", "photo6.png"]


def test_nearest_first_follows_the_camera_when_it_rests(qtbot, panel, session, here) -> None:
    session.document.views = views()
    panel.camera_moved()
    choose(panel.sort_box, "Nearest first")
    here[0] = camera(11.0)
    panel.camera_moved()
    assert names(panel)[0] == "photo0.png"
    qtbot.waitUntil(lambda: names(panel)[0] == "photo11.png")


def test_filters_by_text_and_split(panel, session) -> None:
    session.document.views = views()
    panel.filter_field.setFocus()
    QTest.keyClicks(panel.filter_field, "TO1")
    assert names(panel) == ["photo1.png", "photo10.png", "photo11.png"]
    assert panel.heading.full_text == "3 of 12 views"
    choose(panel.split_box, "Test")
    shown = [view.name for view in views() if view.split == Split.TEST and "to1" in view.name]
    assert names(panel) == shown
    panel.filter_field.clear()
    choose(panel.split_box, "Train")
    assert len(names(panel)) == 9


def test_a_click_and_enter_fly_there(qtbot, panel, session) -> None:
    session.document.views = made = views()
    qtbot.waitUntil(lambda: panel.list.visualRect(panel.model.index(2)).isValid())
    with qtbot.waitSignal(panel.view_chosen) as chosen:
        click_row(panel, 2)
    assert made[chosen.args[0]].name == "photo2.png"
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        with qtbot.waitSignal(panel.view_chosen) as chosen:
            QTest.keyClick(panel.list, key)
        assert made[chosen.args[0]].name == "photo3.png"


def test_the_current_view_is_marked_also_while_filtered_out(panel, session) -> None:
    session.document.views = made = views()
    number = next(n for n, view in enumerate(made) if view.name == "photo11.png")
    panel.mark_view(number)
    index = panel.list.currentIndex()
    assert index.data() == "photo11.png"
    assert panel.list.viewport().rect().intersects(panel.list.visualRect(index))
    assert "went here" in panel.model.index(11).data(Qt.ItemDataRole.ToolTipRole)
    assert "went here" not in panel.model.index(3).data(Qt.ItemDataRole.ToolTipRole)
    panel.filter_field.setText("photo3")
    panel.mark_view(0)
    panel.mark_view(number)
    panel.filter_field.clear()
    assert panel.list.currentIndex().data() == "photo11.png"


def test_step_buttons_ask(qtbot, panel, session) -> None:
    session.document.views = views(3)
    for button, signal in (
        (panel.previous_button, panel.previous_asked),
        (panel.nearest_button, panel.nearest_asked),
        (panel.next_button, panel.next_asked),
    ):
        assert button.toolTip()
        with qtbot.waitSignal(signal):
            QTest.mouseClick(button, LEFT)


def pixel_of(panel: CamerasPanel, row: int) -> tuple[int, int, int]:
    """The colour in the middle of a row's thumbnail."""
    area = panel.list.visualRect(panel.model.index(row))
    image = panel.list.viewport().grab().toImage()
    spot = QPoint(area.left() + 46, area.center().y())
    color = image.pixelColor(spot)
    return color.red(), color.green(), color.blue()


def test_photos_come_for_the_rows_that_are_seen(qtbot, panel, session, tmp_path) -> None:
    order: list[int] = []

    def picture(number: int) -> QImage | None:
        return session.photos.picture(session.document.views[number])

    session.photos.came.connect(lambda view, _state: order.append(panel.model.number_of(view)))
    session.document.views = views(40, tmp_path)
    qtbot.waitUntil(lambda: pixel_of(panel, 0) == RED)
    visible = panel.list.visible_numbers()
    assert 3 < len(visible) < 12
    qtbot.waitUntil(lambda: all(picture(n) is not None for n in visible))
    assert order == visible
    panel.list.scrollToBottom()
    last = panel.model.number(panel.model.index(39))
    qtbot.waitUntil(lambda: picture(last) is not None)


def test_missing_photos_are_told_once(qtbot, panel, session, tmp_path) -> None:
    made = views(12, tmp_path)
    for name in ("photo2.png", "photo10.png"):
        (tmp_path / name).unlink()
    (tmp_path / "photo0.png").write_bytes(b"no picture")
    session.document.views = made
    qtbot.waitUntil(lambda: bool(session.messages))
    assert session.messages[0][0] == "warning"
    assert "2 of 12 photos are missing." in session.messages[0][1]
    assert "2 of 12" in panel.note.text()
    row = names(panel).index("photo2.png")
    assert "missing" in panel.model.index(row).data(Qt.ItemDataRole.ToolTipRole)
    number = panel.model.number(panel.model.index(0))
    qtbot.waitUntil(lambda: panel.model.photo(number) == PhotoState.UNREADABLE)
    session.views_changed.emit()
    panel.refresh()
    qtbot.wait(50)
    assert len(session.messages) == 1


def test_cameras_alone_are_no_fault(qtbot, panel, session) -> None:
    session.document.views = views(5)
    qtbot.wait(50)
    assert session.messages == []
    assert panel.note.text().startswith("Cameras without photos")
    assert not panel.opacity_row.isVisible()


def test_the_photo_lies_over_the_picture_by_the_slider(panel, session, tmp_path) -> None:
    session.document.views = views(3, tmp_path)
    assert panel.opacity_row.isVisible()
    panel.opacity_slider.setFocus()
    for _ in range(3):
        QTest.keyClick(panel.opacity_slider, Qt.Key.Key_PageUp)
    assert session.look.photo_opacity == pytest.approx(0.3)
    assert panel.opacity_text.text() == "30 %"
    session.set_look(photo_opacity=0.8)
    assert panel.opacity_slider.value() == 80


def test_two_thousand_views_stay_quick(panel, session) -> None:
    one = camera()
    made = tuple(View(Camera(one.world_to_camera, one.K, 64, 48, f"f{n}")) for n in range(2000))
    session.document.views = made
    started = time.perf_counter()
    panel.filter_field.setText("9")
    choose(panel.sort_box, "Nearest first")
    panel.filter_field.clear()
    panel.mark_view(1999)
    panel.list.viewport().grab()
    assert time.perf_counter() - started < 1.0


def test_the_model_answers_for_screen_readers(qapp) -> None:
    model = ViewsModel()
    model.set_views(views(2))
    text = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "photo0.png" in text
    assert "64 × 48" in text
    assert "held out for testing" in text
    assert "No photo" in text


# Scene


def row(panel: ScenePanel, name: str) -> str:
    return panel.table.values()[ROWS.index(name)]


def test_scene_panel_tells_counts_and_sizes(qtbot, session) -> None:
    panel = ScenePanel(session)
    qtbot.addWidget(panel)
    document = session.document
    assert panel.file_name.full_text == "ball.ply"
    assert row(panel, "Gaussians") == f"{COUNT:,}"
    assert row(panel, "SH degree") == "1"
    some = torch.arange(COUNT) < 30
    document.select(some)
    assert row(panel, "Selected") == "30"
    document.hide_selected()
    assert (row(panel, "Selected"), row(panel, "Hidden")) == ("0", "30")
    document.delete(~some)
    assert (row(panel, "Gaussians"), row(panel, "Deleted")) == ("30", f"{COUNT - 30:,}")
    each = bytes_per_gaussian(1)
    assert row(panel, "Size as PLY") == megabytes_text(30 * each / 1e6)
    assert row(panel, "Size at opening") == megabytes_text(COUNT * each / 1e6)
