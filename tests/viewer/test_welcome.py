"""The welcome page and the thumbnails on it, driven by real events."""

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from viewer import theme, thumbnails
from viewer.theme import Theme, apply_theme
from viewer.thumbnails import MAX_KEPT, load_thumbnail, save_thumbnail, thumbnail_path
from viewer.widgets.welcome import MAX_RECENT, Card, Welcome

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(thumbnails, "thumbnail_folder", lambda: tmp_path / "cache")


def scene(folder: Path, name: str = "garden.ply", size: int = 2_500_000) -> Path:
    path = folder / name
    with path.open("wb") as file:
        file.truncate(size)
    return path


def picture(width: int = 640, height: int = 480, color: str = "#3366aa") -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    return image


def test_thumbnails_are_kept_at_a_fixed_shape(tmp_path) -> None:
    path = scene(tmp_path)
    assert load_thumbnail(path) is None
    wide = picture(1000, 100, "#ff0000")
    for x in range(420, 580):
        for y in range(100):
            wide.setPixelColor(x, y, QColor("#00ff00"))
    assert save_thumbnail(path, wide)
    kept = load_thumbnail(path)
    assert kept is not None
    assert (kept.deviceIndependentSize().width(), kept.deviceIndependentSize().height()) == (
        160,
        100,
    )
    assert kept.pixelColor(10, 100).name() == "#00ff00"
    assert kept.pixelColor(kept.width() - 10, 100).name() == "#00ff00"


def test_a_changed_scene_has_no_thumbnail_yet(tmp_path) -> None:
    path = scene(tmp_path)
    save_thumbnail(path, picture())
    os.utime(path, ns=(1, 1))
    assert load_thumbnail(path) is None
    assert thumbnail_path(path) != thumbnail_path(tmp_path / "other.ply")


def test_only_the_newest_thumbnails_are_kept(tmp_path) -> None:
    paths = [scene(tmp_path, f"{number}.ply", 10) for number in range(MAX_KEPT + 3)]
    for age, path in enumerate(paths):
        assert save_thumbnail(path, picture(160, 100))
        os.utime(thumbnail_path(path), ns=(age * 10**9, age * 10**9))
    kept = [path for path in paths if load_thumbnail(path) is not None]
    assert kept == paths[3:]
    assert len(list((tmp_path / "cache").iterdir())) == MAX_KEPT


def test_failing_thumbnails_are_no_error(tmp_path) -> None:
    path = scene(tmp_path)
    assert not save_thumbnail(path, QImage())
    (tmp_path / "cache").write_text("in the way")
    assert not save_thumbnail(path, picture())
    assert load_thumbnail(path) is None


def test_a_damaged_thumbnail_is_none(tmp_path) -> None:
    path = scene(tmp_path)
    save_thumbnail(path, picture())
    thumbnail_path(path).write_bytes(b"no picture")
    assert load_thumbnail(path) is None


@pytest.fixture
def welcome(qtbot, qapp):
    apply_theme(qapp)
    welcome = Welcome()
    qtbot.addWidget(welcome)
    welcome.resize(1000, 700)
    welcome.show()
    qtbot.waitExposed(welcome)
    return welcome


def test_cards_by_mouse_and_by_key(qtbot, welcome) -> None:
    asked = {
        welcome.open_card: welcome.open_asked,
        welcome.dataset_card: welcome.dataset_asked,
        welcome.demo_card: welcome.demo_asked,
    }
    for card, signal in asked.items():
        with qtbot.waitSignal(signal):
            QTest.mouseClick(card, LEFT, pos=QPoint(20, 20))
        with qtbot.waitSignal(signal):
            card.setFocus()
            QTest.keyClick(card, Qt.Key.Key_Space)
        assert card.accessibleName()
        assert card.accessibleDescription()
        assert card.toolTip()
    assert "Ctrl+O" in welcome.open_card.toolTip()


def test_recent_files_tell_name_place_size_and_what_is_gone(qtbot, welcome, tmp_path) -> None:
    here, gone = scene(tmp_path), tmp_path / "lost.ply"
    save_thumbnail(here, picture())
    welcome.show_recent([here, gone])
    first, second = welcome.recent_cards
    assert first.accessibleDescription() == f"{tmp_path}, 2.5 MB"
    assert second.missing
    assert not second.isEnabled()
    assert "not there any more" in second.toolTip()
    qtbot.waitUntil(first.isVisible)
    shown = first.grab().toImage()
    assert shown.pixelColor(40, shown.height() // 2).name() == "#3366aa"
    with qtbot.waitSignal(welcome.recent_asked) as asked:
        QTest.mouseClick(first, LEFT)
    assert asked.args == [here]
    with qtbot.assertNotEmitted(welcome.recent_asked):
        QTest.mouseClick(second, LEFT)
    welcome.show_recent([])
    assert welcome.recent_cards == []


def test_only_some_recent_files_are_listed(welcome, tmp_path) -> None:
    welcome.show_recent([tmp_path / f"{number}.ply" for number in range(20)])
    assert len(welcome.recent_cards) == MAX_RECENT


def test_narrow_cards_are_rows(qtbot, welcome) -> None:
    cards = (welcome.open_card, welcome.dataset_card, welcome.demo_card)
    welcome.resize(490, 420)
    qtbot.waitUntil(lambda: cards[0].y() < cards[1].y() < cards[2].y())
    assert all(card.height() < 80 for card in cards)
    welcome.resize(1000, 700)
    qtbot.waitUntil(lambda: cards[0].x() < cards[1].x() < cards[2].x())
    assert len({card.height() for card in cards}) == 1


@pytest.mark.parametrize("size", [(490, 360), (500, 420), (720, 560), (1010, 720), (1900, 900)])
def test_nothing_is_cut_at_any_size(qtbot, welcome, tmp_path, size) -> None:
    welcome.show_recent([scene(tmp_path, f"{number}.ply") for number in range(MAX_RECENT)])
    welcome.resize(*size)
    qtbot.waitUntil(lambda: welcome.widget().width() <= welcome.viewport().width())
    qtbot.wait(30)
    page = welcome.widget()
    inside = QRect(0, 0, welcome.viewport().width(), page.height())
    for card in welcome.findChildren(Card):
        place = QRect(card.mapTo(page, QPoint(0, 0)), card.size())
        assert inside.contains(place)
        assert card.height() >= card.heightForWidth(card.width())
        title = QFontMetrics(card._title_font()).horizontalAdvance(card.text())
        assert title <= card._text_area(card.width()).width()
    for label in page.findChildren(QLabel):
        assert label.height() >= label.heightForWidth(label.width())
    places = [QRect(card.mapTo(page, QPoint(0, 0)), card.size()) for card in welcome.recent_cards]
    for number, place in enumerate(places):
        assert inside.contains(place)
        assert not any(place.intersects(other) for other in places[:number])


def test_the_page_follows_the_theme(qtbot, welcome, qapp) -> None:
    apply_theme(qapp, Theme.LIGHT)
    qtbot.wait(20)
    card = welcome.open_card.grab().toImage()
    spot = card.pixelColor(card.width() // 2, card.height() - 8).name()
    ground = welcome.grab().toImage().pixelColor(3, 3).name()
    panel, window = theme.color("panel"), theme.color("window")
    apply_theme(qapp, Theme.DARK)
    assert spot == panel
    assert ground == window
