from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from core.formats import load_scene, save_scene
from core.jobs import Progress, Steps
from core.pruning import Filter, Relation
from core.scene import bytes_per_gaussian
from tests.blobs import blob_scene
from viewer.jobs import JobRunner
from viewer.look import Mode
from viewer.session import Session


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    path = tmp_path / "blob.ply"
    save_scene(blob_scene(200), path)
    return path


@pytest.fixture
def session(qtbot: QtBot, scene_file: Path) -> Session:
    session = Session()
    with qtbot.waitSignal(session.document_replaced, timeout=20_000):
        session.open(scene_file)
    return session


def test_results_and_progress_arrive_on_the_windows_thread(qtbot: QtBot) -> None:
    runner = JobRunner()
    threads: list[QThread] = []

    def steps() -> Steps[int]:
        yield Progress(1, 1)
        return 7

    results: list[int] = []

    def done(result: int) -> None:
        results.append(result)
        threads.append(QThread.currentThread())

    runner.progressed.connect(lambda _: threads.append(QThread.currentThread()))
    runner.start("seven", steps(), done)
    qtbot.waitUntil(lambda: bool(results))
    assert results == [7]
    assert set(threads) == {runner.thread()}


def test_a_second_job_is_refused_while_one_runs(qtbot: QtBot, session: Session) -> None:
    notes: list[tuple[str, str]] = []
    session.notified.connect(lambda level, text: notes.append((level, text)))
    session.run_scores(view_count=12)
    session.run_scores(view_count=12)
    assert notes
    assert notes[0][0] == "warning"
    session.shut_down()


def test_scores_prune_undo_export(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    with qtbot.waitSignal(session.scores_changed, timeout=120_000):
        session.run_scores(view_count=6)
    document = session.document
    assert document is not None
    session.set_target(50)
    session.apply_prune()
    assert session.target is None
    assert document.alive_count == 50
    out = tmp_path / "pruned.ply"
    with qtbot.waitSignal(session.history_changed, timeout=20_000):
        session.export(out)
    assert len(load_scene(out).scene) == 50
    assert not document.modified
    document.undo()
    assert document.alive_count == 200


def test_target_is_clamped_and_the_full_count_ends_the_preview(session: Session) -> None:
    session.set_target(0)
    assert session.target == 1
    session.set_target(200)
    assert session.target is None
    assert session.megabytes(1000) == pytest.approx(bytes_per_gaussian(1) / 1e3)


def test_a_cheap_score_is_there_as_soon_as_it_is_chosen(session: Session) -> None:
    assert session.worth is None
    session.set_score("opacity")
    assert session.worth is not None
    document = session.document
    assert document is not None
    torch.testing.assert_close(session.worth.values, document.scene.opacities().double())


def test_a_missing_file_is_reported_and_the_document_stays(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    document = session.document
    with qtbot.waitSignal(session.notified) as note:
        session.open(tmp_path / "nothing.ply")
    assert note.args[0] == "error"
    assert session.document is document


def test_a_failed_export_leaves_the_document_modified(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    session.set_score("opacity")
    session.set_target(10)
    session.apply_prune()
    with qtbot.waitSignal(session.notified) as note:
        session.export(tmp_path / "missing" / "out.ply")
    assert note.args[0] == "error"
    document = session.document
    assert document is not None
    assert document.modified


def test_mode_is_announced_once(session: Session, qtbot: QtBot) -> None:
    with qtbot.waitSignal(session.look_changed):
        session.set_mode(Mode.DEPTH)
    with qtbot.assertNotEmitted(session.look_changed):
        session.set_mode(Mode.DEPTH)


def test_an_unreadable_dataset_does_not_keep_the_scene_from_opening(
    qtbot: QtBot, scene_file: Path, tmp_path: Path
) -> None:
    session = Session()
    notes: list[tuple[str, str]] = []
    session.notified.connect(lambda level, text: notes.append((level, text)))
    with qtbot.waitSignal(session.document_replaced, timeout=20_000):
        session.open(scene_file, tmp_path / "no photos here")
    assert session.document is not None
    qtbot.waitUntil(lambda: bool(notes))
    assert notes[0][0] == "error"


def test_a_prune_makes_swept_scores_stale_but_not_plain_ones(
    qtbot: QtBot, session: Session
) -> None:
    with qtbot.waitSignal(session.scores_changed, timeout=120_000):
        session.run_scores(view_count=4)
    assert not session.stale
    session.set_target(60)
    session.apply_prune()
    assert session.stale
    session.set_score("opacity")
    assert not session.stale


def test_undoing_a_prune_previews_it_again(qtbot: QtBot, session: Session) -> None:
    session.set_score("opacity")
    document = session.document
    assert document is not None
    session.set_target(40)
    session.set_filters((Filter("opacity", Relation.BELOW, 0.05),))
    cut = session.cut
    session.apply_prune()
    assert session.cut.empty
    session.undo()
    assert session.cut == cut
    session.redo()
    assert session.cut.empty
    assert document.alive_count <= 40
