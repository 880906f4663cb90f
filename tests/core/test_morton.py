import numpy as np

from core.morton import MAX_BITS, morton_cells, morton_codes, morton_order


def test_bits_are_interleaved() -> None:
    cells = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 0, 2], [0, 0, 4]])

    assert morton_codes(cells).tolist() == [0, 1, 2, 4, 0b101001, 0b100000000]


def test_cells_come_back_up_to_the_largest() -> None:
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 2**MAX_BITS, (1000, 3), dtype=np.uint32)
    cells[0], cells[1] = 2**MAX_BITS - 1, 0

    assert np.array_equal(morton_cells(morton_codes(cells)), cells)


def test_neighbours_in_the_list_are_near_in_space() -> None:
    means = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)

    order = morton_order(means)
    steps = np.linalg.norm(np.diff(means[order], axis=0), axis=1)
    random_steps = np.linalg.norm(np.diff(means, axis=0), axis=1)

    assert sorted(order.tolist()) == list(range(5000))
    assert np.median(steps) < 0.2 * np.median(random_steps)


def test_points_in_one_place_keep_their_order() -> None:
    assert morton_order(np.ones((4, 3), np.float32)).tolist() == [0, 1, 2, 3]
