"""The strip above the viewport and the legends, driven by real events."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from core.editing import Document
from core.rendering.heatmap import colormap_table, percentile_range
from core.scoring import SCORES
from tests.blobs import blob_scene
from tests.viewer.window_stage import NAME, make_worth
from viewer.look import COLORMAPS, Mode, Overlay, Scale
from viewer.session import Session
from viewer.viewport.hud import paint_legend
from viewer.viewport.legend import Ranked, heat_legend
from viewer.viewport.view_bar import HEIGHT, ViewBar

LEFT = Qt.MouseButton.LeftButton
COUNT = 1500


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    session.document = Document(blob_scene(COUNT))
    yield session
    assert session.shut_down()


@pytest.fixture
def bar(qtbot: QtBot, session: Session) -> ViewBar:
    bar = ViewBar(session)
    qtbot.addWidget(bar)
    bar.resize(900, HEIGHT)
    with qtbot.waitExposed(bar):
        bar.show()
    return bar


def type_into(edit: QLineEdit, text: str) -> None:
    edit.setFocus()
    edit.selectAll()
    QTest.keyClick(edit, Qt.Key.Key_Delete)
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def test_the_mode_is_chosen_and_kept_in_step(bar: ViewBar, session: Session) -> None:
    bar.mode_combo.setFocus()
    seen = [session.mode]
    for _ in range(len(Mode) - 1):
        QTest.keyClick(bar.mode_combo, Qt.Key.Key_Down)
        seen.append(session.mode)
    assert seen == list(Mode)
    session.set_mode(Mode.SIZE)
    assert bar.mode_combo.currentData() == Mode.SIZE
    assert bar.mode_combo.currentText() == "Size"


def test_the_score_is_offered_in_heatmaps_only(bar: ViewBar, session: Session) -> None:
    assert not bar.score_combo.isVisible()
    session.set_mode(Mode.HEATMAP)
    assert bar.score_combo.isVisible()
    session.set_score("opacity")
    assert bar.score_combo.currentText() == SCORES["opacity"].title
    bar.score_combo.setFocus()
    QTest.keyClick(bar.score_combo, Qt.Key.Key_Home)
    assert session.score_name == next(iter(SCORES))


def test_colours_are_for_what_has_a_range(bar: ViewBar, session: Session) -> None:
    enabled = {mode: session.set_mode(mode) or bar.colors_button.isEnabled() for mode in Mode}
    ranged = {Mode.HEATMAP, Mode.OPACITY, Mode.SIZE, Mode.LAYERS}
    assert {mode for mode, on in enabled.items() if on} == ranged


def test_the_popup_sets_map_scale_ends_and_contour(
    qtbot: QtBot, bar: ViewBar, session: Session
) -> None:
    session.set_mode(Mode.OPACITY)
    QTest.mouseClick(bar.colors_button, LEFT)
    popup = bar.colors
    qtbot.waitUntil(popup.isVisible)
    QTest.keyClick(popup.map_combo, Qt.Key.Key_End)
    assert session.look.colormap == COLORMAPS[-1]
    type_into(popup.low_edit, "12.5")
    type_into(popup.high_edit, "90")
    assert (session.look.low, session.look.high) == (0.125, 0.9)
    QTest.mouseClick(popup.value_radio, LEFT, pos=QPoint(8, popup.value_radio.height() // 2))
    assert session.look.scale == Scale.VALUE
    assert (session.look.low, session.look.high) == (None, None)
    type_into(popup.low_edit, "-3")
    type_into(popup.high_edit, "1e2")
    assert (session.look.low, session.look.high) == (-3.0, 100.0)
    type_into(popup.high_edit, "-3")
    assert popup.note.isVisible()
    assert session.look.high == 100.0
    QTest.mouseClick(popup.auto_button, LEFT)
    assert (session.look.low, session.look.high) == (None, None)
    assert (popup.low_edit.text(), popup.note.isVisible()) == ("", False)
    QTest.mouseClick(popup.contour_box, LEFT, pos=QPoint(8, popup.contour_box.height() // 2))
    assert not session.look.contour
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not popup.isVisible())


def test_ends_given_for_one_number_do_not_stay_for_another(bar: ViewBar, session: Session) -> None:
    session.set_mode(Mode.OPACITY)
    session.set_look(scale=Scale.VALUE)
    session.set_look(low=0.2, high=0.7)
    session.set_mode(Mode.COLOR)
    session.set_mode(Mode.OPACITY)
    assert (session.look.low, session.look.high) == (0.2, 0.7)
    session.set_mode(Mode.SIZE)
    assert (session.look.low, session.look.high) == (None, None)
    session.set_mode(Mode.HEATMAP)
    session.set_look(low=0.2)
    session.set_score("opacity")
    assert session.look.low is None


def test_overlays_are_checked_without_closing_the_menu(
    qtbot: QtBot, bar: ViewBar, session: Session
) -> None:
    menu = bar.overlay_menu
    menu.popup(bar.mapToGlobal(QPoint(0, HEIGHT)))
    qtbot.waitUntil(menu.isVisible)

    def click(overlay: Overlay) -> None:
        place = menu.actionGeometry(menu.actions_[overlay]).center()
        QTest.mouseMove(menu, place)
        QTest.mouseClick(menu, LEFT, pos=place)

    click(Overlay.GRID)
    click(Overlay.CENTERS)
    assert menu.isVisible()
    assert session.look.overlays >= {Overlay.GRID, Overlay.CENTERS}
    click(Overlay.RINGS)
    assert Overlay.RINGS in session.look.overlays
    assert Overlay.CENTERS not in session.look.overlays
    click(Overlay.INFO)
    assert Overlay.INFO not in session.look.overlays
    session.set_look(overlays_shown=False)
    assert not menu.all_action.isChecked()
    click(Overlay.INFO)
    assert session.look.shows(Overlay.INFO)
    assert "\tG" in menu.actions_[Overlay.GRID].text()
    menu.close()


def test_it_fits_a_narrow_window_and_takes_no_clicks_focus(
    qtbot: QtBot, bar: ViewBar, session: Session
) -> None:
    session.set_mode(Mode.HEATMAP)
    bar.resize(1200, HEIGHT)
    wanted = bar.sizeHint().width()
    assert bar.colors_button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon
    bar.resize(wanted - 40, HEIGHT)
    qtbot.waitUntil(
        lambda: bar.colors_button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly
    )
    assert bar.sizeHint().width() == wanted
    assert bar.height() <= 34
    widgets = (bar.mode_combo, bar.score_combo, bar.colors_button, bar.overlays_button)
    for widget in widgets:
        assert widget.focusPolicy() == Qt.FocusPolicy.TabFocus
        assert widget.accessibleName()
        assert widget.toolTip()
    row = widgets

    def apart() -> bool:
        return all(a.geometry().right() < b.geometry().left() for a, b in pairwise(row))

    qtbot.waitUntil(apart)
    assert row[-1].geometry().right() < bar.width() < 620
    bar.resize(wanted, HEIGHT)
    assert bar.colors_button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon


@pytest.mark.parametrize(("width", "height"), [(1000, 700), (420, 220)])
def test_a_legend_shows_its_map_and_stays_inside(qapp, width: int, height: int) -> None:
    worth, alive = make_worth(COUNT, unseen=40, name=NAME), torch.ones(COUNT, dtype=torch.bool)
    removed = torch.zeros(COUNT, dtype=torch.bool)
    removed[worth.order[:600]] = True
    legend = heat_legend(
        "Removal error", Ranked.of(worth, alive), percentile_range(), "viridis", removed
    )
    assert legend is not None
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(255, 255, 255))
    with QPainter(image) as painter:
        paint_legend(painter, QRect(0, 0, width, height), legend)
    pixels = np.array(image.constBits()).reshape(height, width, 4)[..., 2::-1].astype(int)
    y, x = np.nonzero((pixels != 255).any(-1))
    assert x.min() > 0
    assert y.min() > 0
    assert x.max() < width - 1
    assert y.max() < height - 1
    table = (255 * colormap_table("viridis")).numpy()
    strip = max(range(width), key=lambda x: np.ptp(_runs(pixels[:, x], table)))
    low, high = _runs(pixels[:, strip], table)
    assert low - high >= 70
    middle = pixels[(low + high) // 2, strip]
    assert np.abs(middle - table[127]).max() < 12


def _runs(column: np.ndarray, table: np.ndarray) -> tuple[int, int]:
    """Rows of the lowest and the highest colour of a map in a column, equal if missing."""
    rows = [np.nonzero((np.abs(column - end) < 14).all(-1))[0] for end in (table[0], table[-1])]
    return (int(rows[0][-1]), int(rows[1][0])) if all(map(len, rows)) else (0, 0)
