"""Exporting: sizes and quality by format before anything is written, by keys and by mouse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot

from core.formats import load_scene
from core.trials import NETS, trial_formats
from tests.viewer import refine_stage
from tests.viewer.refine_stage import RefineStage
from viewer.compressing import FORMATS_JOB
from viewer.export_dialog import NETS_LOSE, NOT_MADE, WHOLE, ExportDialog

CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
SIZE, PSNR, SSIM = 2, 3, 4


@pytest.fixture
def stage(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RefineStage]:
    for stage in refine_stage.stage.__wrapped__(qtbot, qapp, tmp_path, monkeypatch):
        stage.open(photos=True)
        yield stage
        stage.window.files.asks_before_discarding = False


def asked(stage: RefineStage) -> ExportDialog:
    stage.press(Qt.Key.Key_E, CONTROL)
    stage.until(lambda: bool(shown(stage)))
    (dialog,) = shown(stage)
    return dialog


def shown(stage: RefineStage) -> list[ExportDialog]:
    return [one for one in stage.window.findChildren(ExportDialog) if one.isVisible()]


def cells(dialog: ExportDialog, column: int) -> dict[str, str]:
    items = [dialog.table.topLevelItem(row) for row in range(dialog.table.topLevelItemCount())]
    return {item.text(1): item.text(column) for item in items}


def press(dialog: ExportDialog, key: Qt.Key) -> None:
    QTest.keyClick(dialog.focusWidget(), key)


def finish(stage: RefineStage) -> None:
    stage.until(lambda: not stage.session.runner.busy)
    QTest.qWait(50)


def click_row(dialog: ExportDialog, suffix: str) -> None:
    (item,) = dialog.table.findItems(suffix, Qt.MatchFlag.MatchExactly, 1)
    place = dialog.table.visualItemRect(item).topLeft() + QPoint(8, 8)
    QTest.mouseClick(dialog.table.viewport(), LEFT, pos=place)


def test_enter_exports_a_plain_ply_of_the_size_that_was_told(stage: RefineStage) -> None:
    document = stage.session.document
    document.delete(torch.arange(len(document.scene)) < 40)
    dialog = asked(stage)
    path, size = dialog.path, dialog.choice.size
    assert path == document.path.with_name(f"{document.path.stem}_pruned.ply")
    assert dialog.loses.text() == WHOLE
    assert "about" not in cells(dialog, SIZE)[".ply"]
    assert "about" in cells(dialog, SIZE)[".sog"]
    assert set(cells(dialog, PSNR).values()) == {"–"}
    press(dialog, Qt.Key.Key_Return)
    stage.until(lambda: path.exists() and not stage.session.runner.busy)
    assert path.stat().st_size == size
    assert len(load_scene(path).scene) == document.alive_count
    assert not document.modified


def test_arrows_choose_a_format_and_the_name_follows(stage: RefineStage) -> None:
    dialog = asked(stage)
    name = dialog.path.name.removesuffix(".ply")
    seen = [dialog.path.name]
    for known in trial_formats()[1:]:
        press(dialog, Qt.Key.Key_Down)
        seen.append(dialog.path.name)
        assert dialog.loses.text() == known.loses
    assert seen == [f"{name}{known.suffixes[0]}" for known in trial_formats()]
    assert dialog.export_button.isEnabled()
    press(dialog, Qt.Key.Key_Down)
    assert dialog.path.suffix == ".ngs"
    assert dialog.loses.text() == f"{NETS_LOSE} {NOT_MADE}"
    assert not dialog.export_button.isEnabled(), "nets are made first"
    press(dialog, Qt.Key.Key_Up)
    press(dialog, Qt.Key.Key_Return)
    path = dialog.path
    assert path.suffix == ".splat"
    stage.until(lambda: path.exists() and not stage.session.runner.busy)
    assert load_scene(path).format == "splat"


def test_a_name_chooses_the_format(stage: RefineStage) -> None:
    dialog = asked(stage)
    field, folder = dialog.path_field, dialog.path.parent
    QTest.mouseClick(field, LEFT)
    for typed, name, format in (
        ("small.compressed.ply", "small.compressed.ply", "compressed-ply"),
        ("small.SPZ", "small.SPZ", "spz"),
        ("small", "small.spz", "spz"),
        ("small.v2.ply", "small.v2.ply", "ply"),
    ):
        field.selectAll()
        QTest.keyClicks(field, typed)
        assert dialog.path == folder / name
        assert dialog.choice.format.name == format
    field.selectAll()
    QTest.keyClicks(field, str(folder / "missing" / "a.ply"))
    press(dialog, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert "no folder" in dialog.problem.text()
    assert dialog.problem.isVisible()
    QTest.keyClicks(field, "x")
    assert not dialog.problem.isVisible()
    press(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_a_file_that_is_there_is_replaced_only_if_that_is_wanted(stage: RefineStage) -> None:
    dialog = asked(stage)
    path = dialog.path
    path.write_text("mine")
    for answer in ("Cancel", "Replace"):

        def reply(answer: str = answer) -> None:
            box = QApplication.activeModalWidget()
            assert isinstance(box, QMessageBox)
            next(one for one in box.buttons() if one.text() == answer).click()

        QTimer.singleShot(100, reply)
        press(dialog, Qt.Key.Key_Return)
        if answer == "Cancel":
            assert dialog.isVisible()
            assert path.read_text() == "mine"
    stage.until(lambda: not stage.session.runner.busy and path.stat().st_size > 4)
    assert load_scene(path).format == "ply"


def test_browsing_keeps_format_and_name(stage: RefineStage, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    dialog = asked(stage)
    click_row(dialog, ".spz")
    QTest.mouseClick(dialog.browse_button, LEFT)
    chooser = next(one for one in stage.window.findChildren(QFileDialog) if one.isVisible())
    assert Path(chooser.selectedFiles()[0]) == dialog.path
    field = chooser.findChild(QLineEdit, "fileNameEdit")
    field.setText(str(tmp_path / "there" / "b"))
    QTest.keyClick(field, Qt.Key.Key_Return)
    stage.until(lambda: dialog.path == tmp_path / "there" / "b.spz")
    QTest.mouseClick(dialog.export_button, LEFT)
    stage.until(lambda: (tmp_path / "there" / "b.spz").exists())
    finish(stage)


def test_measured_formats_show_what_they_are_and_a_later_edit_takes_that_back(
    stage: RefineStage,
) -> None:
    dialog = asked(stage)
    QTest.mouseClick(dialog.measure_button, LEFT)
    assert stage.session.runner.job.name == FORMATS_JOB
    assert dialog.status.isVisible()
    assert not dialog.export_button.isEnabled()
    assert not dialog.measure_button.isEnabled()
    finish(stage)
    assert not dialog.status.isVisible()
    measured = {trial.format: trial for trial in stage.session.compressing.trials}
    assert len(measured) == len(trial_formats())
    for known in trial_formats():
        suffix, evaluation = known.suffixes[0], measured[known.name].evaluation
        assert cells(dialog, PSNR)[suffix] == f"{evaluation.psnr:.2f}"
        assert cells(dialog, SSIM)[suffix] == f"{evaluation.ssim:.4f}"
        assert "about" not in cells(dialog, SIZE)[suffix]
    click_row(dialog, ".sog")
    path = dialog.path
    QTest.mouseClick(dialog.export_button, LEFT)
    stage.until(path.exists)
    finish(stage)
    assert path.stat().st_size == measured["sog"].bytes, "the size shown is that of the file"
    document = stage.session.document
    document.delete(torch.arange(len(document.scene)) < 10)
    again = asked(stage)
    assert set(cells(again, PSNR).values()) == {"–"}
    again.reject()


def test_nets_that_were_made_are_saved_from_here(stage: RefineStage) -> None:
    panel = stage.window.compress_panel
    panel.choices.fit_spin.setValue(20)
    panel.choices.finetune_spin.setValue(4)
    panel.run()
    finish(stage)
    (trial,) = stage.session.compressing.trials
    assert stage.session.compressing.unsaved == 1
    dialog = asked(stage)
    click_row(dialog, f".{NETS}")
    assert dialog.loses.text() == NETS_LOSE
    path = dialog.path
    QTest.mouseClick(dialog.export_button, LEFT)
    stage.until(lambda: path.exists() and not stage.session.compressing.unsaved)
    assert path.stat().st_size == trial.bytes
    assert load_scene(path).format == NETS
