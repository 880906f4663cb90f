"""The Scatter dock driven by real events: axes, dots, rectangle, correlation."""

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolTip
from scipy import stats

from tests.viewer.panel_stage import (
    CONTROL,
    LEFT,
    NO_MODIFIER,
    SHIFT,
    at,
    choose,
    drag,
    pause,
    scored,
    session,
    shown,
)
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.panels.columns import column_title
from viewer.panels.scatter import ScatterPanel, dot_counts, dot_picture
from viewer.widgets.numbers import value_text

__all__ = ["scored", "session"]


def settled(qtbot, panel: ScatterPanel) -> ScatterPanel:
    """Wait until the panel shows the session as it is."""
    pause(30)
    qtbot.waitUntil(lambda: not panel._timer.isActive() and panel._asked is None)
    qtbot.waitUntil(lambda: panel.pairs is None or panel.plot.dots.image is not None)
    return panel


@pytest.fixture
def scatter(qtbot, scored):
    return settled(qtbot, shown(qtbot, ScatterPanel(scored), 900, 300))


def pick(qtbot, panel: ScatterPanel, axis: int, name: str) -> None:
    """Choose a column with the arrow keys."""
    choose(panel.combos[axis], column_title(panel.session.document, name))
    settled(qtbot, panel)


def corners(panel: ScatterPanel) -> tuple[QPoint, QPoint]:
    """Two pixels in the plot with about a quarter of the Gaussians between them."""
    x, y = panel.pairs.x, panel.pairs.y
    low, high = (
        at(panel.plot, float(np.quantile(x, share)), float(np.quantile(y, share)))
        for share in (0.2, 0.7)
    )
    return low, high


def inside(panel: ScatterPanel, start: QPoint, end: QPoint) -> np.ndarray:
    """The Gaussians in a rectangle of pixels, by the plot's own scale."""
    box = panel.plot.getPlotItem().getViewBox()
    a, b = (box.mapSceneToView(panel.plot.mapToScene(spot)) for spot in (start, end))
    pairs = panel.pairs
    within = (pairs.x >= min(a.x(), b.x())) & (pairs.x <= max(a.x(), b.x()))
    within &= (pairs.y >= min(a.y(), b.y())) & (pairs.y <= max(a.y(), b.y()))
    mask = np.zeros(COUNT, np.bool_)
    mask[pairs.indices[within]] = True
    return mask


def test_it_shows_two_columns_of_all(scatter, scored) -> None:
    assert scatter.pairs.names == ("opacity", "largest")
    assert scatter.pairs.log == (False, True)
    opacity, largest = (scored.document.values(name) for name in scatter.pairs.names)
    assert np.array_equal(scatter.pairs.x, opacity)
    assert np.allclose(scatter.pairs.y, np.log10(largest))
    rho = stats.spearmanr(opacity, largest).statistic
    assert f"Rank correlation {rho:+.3f}" in scatter.statistics.full_text
    assert f"{COUNT:,} Gaussians" in scatter.statistics.full_text


def test_choosing_and_swapping_axes(qtbot, scatter, scored) -> None:
    pick(qtbot, scatter, 0, NAME)
    assert scatter.pairs.names == (NAME, "largest")
    assert scatter.pairs.log == (True, True)
    QTest.mouseClick(scatter.logs[1], LEFT, pos=QPoint(8, scatter.logs[1].height() // 2))
    settled(qtbot, scatter)
    assert scatter.pairs.log == (True, False)
    x, y = scatter.pairs.x, scatter.pairs.y
    QTest.mouseClick(scatter.swap_button, LEFT)
    settled(qtbot, scatter)
    assert scatter.pairs.names == ("largest", NAME)
    assert scatter.pairs.log == (False, True)
    assert np.array_equal(scatter.pairs.x, y)
    assert np.array_equal(scatter.pairs.y, x)


def test_every_gaussian_is_in_the_picture(scatter, scored) -> None:
    chosen = torch.arange(COUNT) < 200
    every, some = dot_counts(scatter.pairs, (40, 30), chosen)
    assert every.shape == (30, 40)
    assert every.sum() == COUNT
    assert some.sum() == 200
    assert (some <= every).all()
    pixels = dot_picture(every, some, QColor("white"), QColor("#ff0000"))
    assert np.array_equal(pixels[..., 3] > 0, every > 0)
    assert (pixels[some > 0, :3] == (255, 0, 0)).all()
    assert (pixels[(every > 0) & (some == 0), :3] == 255).all()
    plain = dot_picture(every, np.zeros_like(every), QColor("white"), QColor("red"))[..., 3]
    order = np.argsort(every[every > 0])
    assert (np.diff(plain[every > 0][order].astype(int)) >= 0).all()
    assert plain.max() == 255


def test_where_the_dots_lie(qtbot, scatter) -> None:
    """The picture stands on the axes: a cell's counts are the points between its edges."""
    size = scatter.plot.cells(3)
    every, _ = dot_counts(scatter.pairs, size, torch.zeros(COUNT, dtype=torch.bool))
    (left, right), (bottom, top) = scatter.pairs.bounds()
    rows, columns = np.nonzero(every)
    row, column = rows[len(rows) // 2], columns[len(rows) // 2]
    x = left + (right - left) * (column + np.array([0, 1])) / size[0]
    y = bottom + (top - bottom) * (row + np.array([0, 1])) / size[1]
    within = (scatter.pairs.x >= x[0]) & (scatter.pairs.x < x[1])
    within &= (scatter.pairs.y >= y[0]) & (scatter.pairs.y < y[1])
    assert within.sum() == every[row, column]
    rect = scatter.plot.dots.boundingRect()
    mapped = scatter.plot.dots.mapRectToParent(rect)
    assert (mapped.left(), mapped.right()) == pytest.approx((left, right))
    assert (mapped.top(), mapped.bottom()) == pytest.approx((bottom, top))


def test_a_rectangle_selects_with_the_usual_keys(scatter, scored) -> None:
    document, viewport = scored.document, scatter.plot.viewport()
    start, end = corners(scatter)
    a = inside(scatter, start, end)
    assert 0.1 * COUNT < a.sum() < 0.5 * COUNT
    drag(viewport, start, end)
    assert np.array_equal(document.selected.numpy(), a)
    assert document.history.undo_name == "Select by Opacity and Largest axis"
    aside = QPoint(-80, 0)
    other = start + aside, end + aside
    b = inside(scatter, *other)
    assert (a & b).any()
    assert (a & ~b).any()
    for keys, wanted in (
        (SHIFT, a | b),
        (CONTROL, a & ~b),
        (SHIFT | CONTROL, a & b),
        (NO_MODIFIER, b),
    ):
        drag(viewport, start, end)
        drag(viewport, *other, keys)
        assert np.array_equal(document.selected.numpy(), wanted)


def test_a_click_and_escape_select_nothing(scatter, scored) -> None:
    start, end = corners(scatter)
    QTest.mouseClick(scatter.plot.viewport(), LEFT, pos=start)
    scatter.plot.setFocus()
    drag(scatter.plot.viewport(), start, end, drop=False)
    assert scatter.plot.frame.isVisible()
    QTest.keyClick(scatter.plot, Qt.Key.Key_Escape)
    assert not scatter.plot.frame.isVisible()
    QTest.mouseRelease(scatter.plot.viewport(), LEFT, NO_MODIFIER, end)
    assert scored.document.history.undo_name is None


def test_the_selected_stand_out(qtbot, scatter, scored) -> None:
    before = scatter.plot.dots.image.copy()
    scored.document.select(torch.arange(COUNT) < 200)
    qtbot.waitUntil(lambda: not np.array_equal(scatter.plot.dots.image, before))
    image = scatter.plot.dots.image
    assert image.shape == before.shape
    assert np.array_equal(image[..., 3] > 0, before[..., 3] > 0)
    changed = (image[..., :3] != before[..., :3]).any(-1)
    _, some = dot_counts(scatter.pairs, image.shape[1::-1], scored.document.selected)
    assert np.array_equal(changed, some > 0)


def test_hover_tells_which_gaussian_it_is(scatter, scored) -> None:
    pairs = scatter.pairs
    lonely = int(np.abs(pairs.y - np.median(pairs.y)).argmax())
    QTest.mouseMove(
        scatter.plot.viewport(),
        at(scatter.plot, float(pairs.x[lonely]), float(pairs.y[lonely])),
    )
    pause(20)
    index = int(pairs.indices[lonely])
    assert QToolTip.text().splitlines() == [
        f"Gaussian {index:,}",
        f"Opacity {value_text(pairs.x[lonely])}",
        f"Largest axis {value_text(10 ** pairs.y[lonely])}",
    ]


def test_what_a_logarithm_cannot_show_is_told(qtbot, scatter, scored) -> None:
    scored.document.add_scores({NAME: make_worth(unseen=100)})
    pick(qtbot, scatter, 0, NAME)
    assert scatter.pairs.finite == COUNT - 100
    pick(qtbot, scatter, 1, "x")
    QTest.mouseClick(scatter.logs[1], LEFT, pos=QPoint(8, scatter.logs[1].height() // 2))
    settled(qtbot, scatter)
    negative = int((scored.document.values("x")[100:] <= 0).sum())
    assert f"{negative:,} not above zero left aside" in scatter.statistics.full_text


def test_the_dead_are_left_out(qtbot, scatter, scored) -> None:
    scored.document.delete(torch.arange(COUNT) < 600)
    qtbot.waitUntil(lambda: len(scatter.pairs.x) == COUNT - 600)
    assert scatter.pairs.indices.min() == 600


def test_without_a_scene_there_is_a_hint(qtbot, qapp) -> None:
    from viewer.session import Session

    panel = shown(qtbot, ScatterPanel(Session()), 900, 260)
    assert panel.empty.isVisible()
    assert "Open a scene" in panel.empty.text()


def test_dots_of_the_scene_before_select_nothing(qtbot, scatter, scored, tmp_path) -> None:
    shown_at_once: list[object] = []
    scored.document_replaced.connect(lambda: shown_at_once.append(scatter.pairs))
    scored.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: bool(shown_at_once))
    assert shown_at_once == [None]
    settled(qtbot, scatter)
    assert scatter.pairs is not None
