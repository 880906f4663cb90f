"""The whole window driven by real events: keys, menus, drops, dialogs, closing."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from core.formats import load_scene
from core.jobs import Progress
from core.rendering import warm_up
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.action_spec import keys_text
from viewer.action_table import ACTIONS
from viewer.export_dialog import ExportDialog
from viewer.layout import recent_files
from viewer.look import Mode
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.widgets.messages import FADE_MS
from viewer.widgets.screenshot_dialog import ScreenshotDialog
from viewer.widgets.shortcut_sheet import ShortcutSheet

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
NO_KEY = Qt.KeyboardModifier.NoModifier
EXPORT, DISCARD, CANCEL = (
    QMessageBox.StandardButton.Save,
    QMessageBox.StandardButton.Discard,
    QMessageBox.StandardButton.Cancel,
)


@pytest.fixture
def make_window(qtbot, qapp):
    apply_theme(qapp)
    warm_up()
    windows = []

    def make() -> MainWindow:
        window = MainWindow(Session())
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        window.activateWindow()
        QTest.qWait(30)
        return window

    yield make
    for window in windows:
        window.session.shut_down()
        if window.session.document is not None:
            window.session.document.mark_saved()
        QTest.qWait(10)
        window.close()
        window.deleteLater()
    QTest.qWait(10)


@pytest.fixture
def window(make_window) -> MainWindow:
    return make_window()


@pytest.fixture
def opened(qtbot, window, tmp_path) -> MainWindow:
    window.session.open(write_scene(tmp_path))
    wait_idle(qtbot, window)
    assert window.session.document is not None
    return window


@pytest.fixture
def scored(opened) -> MainWindow:
    opened.session.document.add_scores({NAME: make_worth()})
    return opened


@pytest.fixture
def changed(scored) -> MainWindow:
    scored.session.set_target(600)
    scored.session.apply_prune()
    return scored


def wait_idle(qtbot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.session.runner.busy, timeout=30_000)
    QTest.qWait(20)


def slow_steps(count: int = 500):
    for done in range(count):
        QTest.qSleep(5)
        yield Progress(done + 1, count, f"view {done + 1} of {count}")


def answer(button, seen: list[str]) -> None:
    """Click a button of the message box that is about to open."""

    def click() -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            seen.append(box.text())
            chosen = (
                box.button(button)
                if isinstance(button, QMessageBox.StandardButton)
                else next(one for one in box.buttons() if one.text() == button)
            )
            chosen.click()
        else:
            QTimer.singleShot(10, click)

    QTimer.singleShot(10, click)


def file_dialog(window: MainWindow) -> QFileDialog:
    dialogs = [dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible()]
    assert len(dialogs) == 1
    return dialogs[0]


def export_dialog(window: MainWindow) -> ExportDialog:
    dialogs = [dialog for dialog in window.findChildren(ExportDialog) if dialog.isVisible()]
    assert len(dialogs) == 1
    return dialogs[0]


def drop(target, paths: list[Path]) -> QDropEvent:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    place = QPointF(10, 10)
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(place.toPoint(), copy, data, LEFT, NO_KEY)
    QApplication.sendEvent(target, enter)
    assert enter.isAccepted()
    event = QDropEvent(place, copy, data, LEFT, NO_KEY)
    QApplication.sendEvent(target, event)
    return event


# Actions and keys


def test_every_action_has_a_menu_entry_and_tells_its_key(window) -> None:
    for spec in ACTIONS:
        menu = window.menus[spec.menu]
        action = window.actions_[spec.id]
        assert action in menu.actions()
        if spec.keys:
            assert f"{keys_text(spec)})" in action.toolTip()


def test_what_needs_a_scene_is_disabled_and_says_why(window) -> None:
    for id in ("file.export", "file.open_dataset", "cam.frame", "edit.undo", "job.cancel"):
        assert not window.actions_[id].isEnabled()
    assert "Open a scene first" in window.actions_["file.export"].toolTip()
    assert window.actions_["file.open"].isEnabled()


def test_undo_and_redo_by_key_show_the_edit(changed) -> None:
    document, undo = changed.session.document, changed.actions_["edit.undo"]
    assert undo.text() == "Undo Prune to 600 Gaussians"
    QTest.keyClick(changed, Qt.Key.Key_Z, CONTROL)
    assert document.alive_count == COUNT
    assert not undo.isEnabled()
    assert changed.actions_["edit.redo"].text() == "Redo Prune to 600 Gaussians"
    QTest.keyClick(changed, Qt.Key.Key_Y, CONTROL)
    assert document.alive_count == 600
    assert "900 deleted" in changed.status.counts.text()


def test_mode_keys_belong_to_the_viewport(scored) -> None:
    session = scored.session
    scored.viewport.setFocus()
    QTest.keyClick(scored.viewport, Qt.Key.Key_2, ALT)
    assert session.mode == Mode.HEATMAP
    assert scored.actions_["view.mode_sens"].isChecked()
    QTest.keyClick(scored.viewport, Qt.Key.Key_3, ALT)
    assert session.mode == Mode.DEPTH


def test_bare_keys_do_not_leave_fields(scored) -> None:
    calls = []
    scored.actions_["cam.frame"].triggered.connect(lambda: calls.append("frame"))
    scored.actions_["cam.reset"].triggered.connect(lambda: calls.append("reset"))
    scored.docks["prune"].raise_()
    slider = scored.prune_panel.slider
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Home)
    QTest.keyClick(slider, Qt.Key.Key_F)
    assert slider.value() == 0
    assert calls == []
    scored.viewport.setFocus()
    QTest.keyClick(scored.viewport, Qt.Key.Key_F)
    QTest.keyClick(scored.viewport, Qt.Key.Key_Home)
    assert calls == ["frame", "reset"]


def test_run_key_runs_the_panel_in_front(qtbot, scored, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(scored.session, "run_scores", asked.append)
    scored.viewport.setFocus()
    QTest.keyClick(scored.viewport, Qt.Key.Key_1, CONTROL)
    QTest.keyClick(scored, Qt.Key.Key_Return, CONTROL)
    assert asked == [scored.sensitivity_panel.views_spin.value()]
    scored.viewport.setFocus()
    QTest.keyClick(scored.viewport, Qt.Key.Key_2, CONTROL)
    QTest.qWait(30)
    assert scored.active_panel() is scored.prune_panel
    scored.session.set_target(700)
    QTest.keyClick(scored, Qt.Key.Key_Return, CONTROL)
    assert scored.session.document.alive_count == 700
    assert len(asked) == 1


def test_menus_trigger(scored) -> None:
    menu = scored.menus["View"]
    menu.popup(QPoint(50, 50))
    spot = menu.actionGeometry(scored.actions_["view.mode_depth"]).center()
    QTest.mouseClick(menu, LEFT, pos=spot)
    assert scored.session.mode == Mode.DEPTH


def test_help_opens_by_key(window) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    sheet = window.findChild(ShortcutSheet)
    assert sheet.isVisible()
    assert "Ctrl+Shift+Z" in sheet.text.toPlainText()
    sheet.close()


# Layout


def test_panel_keys_show_raise_and_hide(window) -> None:
    histogram = window.docks["histogram"]
    assert histogram.isVisible()
    window.viewport.setFocus()
    QTest.keyClick(window, Qt.Key.Key_D, CONTROL)
    if not histogram.isHidden():
        assert histogram.isAncestorOf(QApplication.focusWidget())
        QTest.keyClick(window, Qt.Key.Key_D, CONTROL)
    assert histogram.isHidden()
    assert not window.actions_["panel.histogram"].isChecked()
    QTest.keyClick(window, Qt.Key.Key_D, CONTROL)
    assert histogram.isVisible()
    assert window.actions_["panel.histogram"].isChecked()


def test_a_panel_in_front_takes_the_focus_before_it_hides(window) -> None:
    sensitivity = window.docks["sensitivity"]
    sensitivity.raise_()
    window.viewport.setFocus()
    QTest.keyClick(window, Qt.Key.Key_1, CONTROL)
    assert sensitivity.isVisible()
    assert sensitivity.isAncestorOf(QApplication.focusWidget())
    QTest.keyClick(window, Qt.Key.Key_1, CONTROL)
    assert sensitivity.isHidden()


def test_window_keys_work_from_a_number_field(changed, qtbot) -> None:
    document = changed.session.document
    changed.docks["prune"].raise_()
    field = changed.prune_panel.percent_spin
    field.setFocus()
    QTest.keyClicks(field, "5")
    QTest.keyClick(field, Qt.Key.Key_Z, CONTROL)
    assert document.alive_count == COUNT
    QTest.keyClick(field, Qt.Key.Key_E, CONTROL)
    qtbot.waitUntil(lambda: bool(changed.findChildren(ExportDialog)))
    export_dialog(changed).reject()


def test_all_panels_hide_and_come_back(window) -> None:
    QTest.keyClick(window, Qt.Key.Key_F12)
    assert all(dock.isHidden() for dock in window.docks.values())
    QTest.keyClick(window, Qt.Key.Key_F12)
    assert not any(dock.isHidden() for dock in window.docks.values())


def test_layout_is_remembered_and_reset(make_window) -> None:
    first = make_window()
    first.docks["scene"].hide()
    first.resize(1200, 800)
    first.close()
    second = make_window()
    assert second.docks["scene"].isHidden()
    assert (second.width(), second.height()) == (1200, 800)
    second.actions_["panel.reset_layout"].trigger()
    assert not second.docks["scene"].isHidden()


def test_a_panel_without_tabs_beside_it_has_a_title(window) -> None:
    assert window.docks["prune"].titleBarWidget() is not None, "the tab is its title"
    for name in ("sensitivity", "refine", "compress", "layers"):
        window.docks[name].hide()
    assert window.docks["prune"].titleBarWidget() is None
    window.docks["sensitivity"].show()
    assert window.docks["prune"].titleBarWidget() is not None


def test_workspaces_keep_their_panels_apart(window) -> None:
    window.docks["history"].hide()
    window.set_workspace("prune")
    assert not window.docks["history"].isHidden()
    assert window.docks["scatter"].isHidden()
    window.set_workspace("inspect")
    assert window.docks["history"].isHidden()
    assert not window.docks["scatter"].isHidden()
    window.reset_layout()
    assert not window.docks["history"].isHidden()


def test_panes_are_reached_by_f6(scored) -> None:
    scored.viewport.setFocus()
    visited = []
    for _ in range(5):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_F6)
        focus = QApplication.focusWidget()
        visited.append(
            next(
                (name for name, dock in scored.docks.items() if dock.isAncestorOf(focus)),
                "viewport",
            )
        )
    assert visited == ["scene", "cameras", "sensitivity", "histogram", "viewport"]


def test_smallest_size_cuts_nothing_off(opened) -> None:
    opened.resize(1100, 700)
    opened.session.document.add_scores({NAME: make_worth(unseen=300, singular=300)})
    opened.session.set_target(1234)
    for name in ("prune", "sensitivity"):
        opened.docks[name].raise_()
        QTest.qWait(50)
        panel = opened.docks[name].widget()
        assert panel.widget().width() == panel.viewport().width()
        for dock in opened.docks.values():
            if dock.widget().visibleRegion().isEmpty():
                continue
            assert opened.rect().contains(dock.geometry())
            assert not dock.geometry().intersects(opened.centre.geometry())
    assert (opened.width(), opened.height()) == (1100, 700)


# Files


def test_the_welcome_page_gives_way_to_the_scene(qtbot, window, tmp_path) -> None:
    assert window.centre.welcome.isVisible()
    path = write_scene(tmp_path)
    drop(window.viewport, [path])
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert not window.centre.welcome.isVisible()
    assert window.windowTitle() == "ball.ply[*] – Splatscope"
    assert recent_files() == [path.resolve()]


def test_dropping_on_a_dock_opens_the_first_and_says_so(qtbot, window, tmp_path) -> None:
    path = write_scene(tmp_path)
    drop(window.sensitivity_panel.formula, [path, tmp_path / "other.ply"])
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert any("of 2 dropped files" in toast.text for toast in window.toasts.shown)


def test_recent_files_open_again(qtbot, make_window, tmp_path) -> None:
    path = write_scene(tmp_path)
    first = make_window()
    first.session.open(path)
    wait_idle(qtbot, first)
    first.close()
    second = make_window()
    names = [action.text() for action in second.recent_menu.actions()]
    assert names == ["ball.ply"]
    second.recent_menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: second.session.document is not None)


def test_export_proposes_a_name_and_writes_what_is_alive(qtbot, changed, tmp_path) -> None:
    assert changed.isWindowModified()
    QTest.keyClick(changed, Qt.Key.Key_E, CONTROL)
    dialog = export_dialog(changed)
    assert dialog.path == tmp_path / "ball_pruned.ply"
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: (tmp_path / "ball_pruned.ply").exists())
    wait_idle(qtbot, changed)
    assert len(load_scene(tmp_path / "ball_pruned.ply").scene) == 600
    assert not changed.isWindowModified()


def test_screenshot_is_saved_at_the_size_that_was_chosen(qtbot, opened, tmp_path) -> None:
    QTest.keyClick(opened, Qt.Key.Key_F9)
    sizes = next(d for d in opened.findChildren(ScreenshotDialog) if d.isVisible())
    sizes.width_spin.setValue(300)
    sizes.height_spin.setValue(200)
    QTest.mouseClick(sizes.save_button, LEFT)
    dialog = file_dialog(opened)
    path = tmp_path / "shot.png"
    dialog.selectFile(str(path))
    dialog.accept()
    qtbot.waitUntil(path.exists, timeout=30_000)
    qtbot.waitUntil(lambda: QImage(str(path)).width() == 300)
    image = QImage(str(path))
    assert (image.width(), image.height()) == (300, 200)
    colors = {image.pixel(x, y) for x in range(0, 300, 10) for y in range(0, 200, 10)}
    assert len(colors) > 20


def test_a_broken_file_is_told_and_nothing_changes(qtbot, opened, tmp_path) -> None:
    document = opened.session.document
    broken = tmp_path / "broken.ply"
    broken.write_bytes(b"not a scene")
    drop(opened, [broken])
    wait_idle(qtbot, opened)
    assert opened.session.document is document
    assert [toast.level for toast in opened.toasts.shown] == ["error"]


# Unsaved changes and closing


def test_closing_unchanged_asks_nothing(opened) -> None:
    assert opened.close()


def test_cancelling_the_question_keeps_the_window(changed) -> None:
    seen = []
    answer(CANCEL, seen)
    assert not changed.close()
    assert seen == ["ball.ply has changes that are not exported."]
    assert changed.isVisible()


def test_discarding_closes(changed) -> None:
    seen = []
    answer(DISCARD, seen)
    assert changed.close()
    assert len(seen) == 1


def test_exporting_first_closes_once_it_is_written(qtbot, changed, tmp_path) -> None:
    answer(EXPORT, [])
    assert not changed.close()
    export_dialog(changed).accept()
    qtbot.waitUntil(lambda: not changed.isVisible(), timeout=20_000)
    assert len(load_scene(tmp_path / "ball_pruned.ply").scene) == 600


def test_giving_up_the_export_keeps_the_window(qtbot, changed, tmp_path) -> None:
    answer(EXPORT, [])
    assert not changed.close()
    export_dialog(changed).reject()
    changed.session.export(tmp_path / "later.ply")
    wait_idle(qtbot, changed)
    assert changed.isVisible()


def test_opening_another_scene_asks_first(qtbot, changed, tmp_path) -> None:
    document = changed.session.document
    other = tmp_path / "other"
    other.mkdir()
    path = write_scene(other, 50)
    answer(CANCEL, [])
    drop(changed, [path])
    assert changed.session.document is document
    answer(DISCARD, [])
    drop(changed, [path])
    qtbot.waitUntil(lambda: changed.session.document is not document)
    assert len(changed.session.document.scene) == 50


def test_quitting_while_a_job_runs_asks(qtbot, opened) -> None:
    runner = opened.session.runner
    runner.start("Sensitivity", slow_steps(), lambda _: None)
    seen = []
    answer("Keep running", seen)
    assert not opened.close()
    assert seen == ["Sensitivity is still running."]
    assert runner.busy
    answer("Cancel job and quit", seen)
    assert opened.close()
    assert not runner.busy


# Jobs and messages


def test_a_job_is_shown_paused_and_cancelled(qtbot, opened) -> None:
    status, runner = opened.status.job, opened.session.runner
    qtbot.waitUntil(lambda: "ms" in opened.status.frame.full_text, timeout=30_000)
    QTest.qWait(500)
    width = status.label.width()
    runner.start("Sensitivity", slow_steps(), lambda _: None)
    qtbot.waitUntil(lambda: "view" in status.label.text() and "left" in status.label.text())
    assert status.bar.isVisible()
    assert status.label.width() == width
    panel = opened.sensitivity_panel
    qtbot.waitUntil(lambda: "left" in panel.progress_text.full_text)
    QTest.mouseClick(status.pause_button, LEFT)
    qtbot.waitUntil(lambda: status.label.text() == "Sensitivity: paused")
    QTest.mouseClick(status.pause_button, LEFT)
    qtbot.waitUntil(lambda: "view" in status.label.text())
    QTest.keyClick(opened, Qt.Key.Key_Period, CONTROL)
    wait_idle(qtbot, opened)
    assert status.label.text() == "Ready"
    assert not status.bar.isVisible()


def test_info_fades_and_errors_stay_and_all_are_logged(qtbot, window, monkeypatch) -> None:
    monkeypatch.setitem(FADE_MS, "info", 60)
    notify = window.session.notified.emit
    notify("info", "Done.")
    notify("error", "Cannot do that.")
    assert [toast.text for toast in window.toasts.shown] == ["Done.", "Cannot do that."]
    qtbot.waitUntil(lambda: [toast.text for toast in window.toasts.shown] == ["Cannot do that."])
    toast = window.toasts.shown[0]
    assert window.centre.rect().contains(toast.geometry())
    QTest.mouseClick(toast.close_button, LEFT)
    assert window.toasts.shown == []
    log = [message.text for message in window.message_log.messages]
    assert log == ["Cannot do that.", "Done."]


def test_compute_score_from_the_prune_panel(qtbot, opened) -> None:
    opened.docks["prune"].raise_()
    opened.sensitivity_panel.views_spin.setValue(3)
    QTest.mouseClick(opened.prune_panel.score_button, LEFT)
    qtbot.waitUntil(lambda: opened.session.worth is not None, timeout=60_000)
    wait_idle(qtbot, opened)
    assert opened.session.mode == Mode.HEATMAP
    assert opened.prune_panel.score_button.isHidden()


def test_a_view_in_the_list_moves_the_camera(qtbot, opened) -> None:
    from tests.viewer.panel_stage import views

    opened.session.document.views = views(3)
    QTest.qWait(50)
    asked = []
    opened.cameras_panel.view_chosen.connect(asked.append)
    views_list = opened.cameras_panel.list
    spot = views_list.visualRect(views_list.model().index(2, 0)).center()
    before = opened.viewport.camera().position
    QTest.mouseClick(views_list.viewport(), LEFT, pos=spot)
    assert asked == [2]
    wanted = opened.session.document.views[2].camera.position
    qtbot.waitUntil(lambda: abs(opened.viewport.camera().position - wanted).max() < 1e-3)
    assert abs(before - wanted).max() > 1e-3
    opened.actions_["cam.prev"].trigger()
    assert views_list.currentIndex().row() == 1
    opened.actions_["cam.next"].trigger()
    assert views_list.currentIndex().row() == 2


def test_frames_are_reported(qtbot, opened) -> None:
    def shown() -> bool:
        return any(letter.isdigit() for letter in opened.status.frame.full_text)

    qtbot.waitUntil(shown, timeout=60_000)
    assert "ms" in opened.status.frame.full_text
