from dataclasses import replace

import numpy as np
import pytest

from edge.domain.features import Cells
from edge.scoring.footage import BLOCK_FRAMES, LONGEST_STEP_S, NormalFootage
from tests.scoring.camera import CELLS, GAIT, HEIGHT, WIDTH, cells, footage, gait


def add(collected, *groups, time_s):
    collected.add(groups, time_s=time_s, width=WIDTH, height=HEIGHT)


def test_learnt_seconds_leave_holes_out():
    collected = NormalFootage()
    for start in (0.0, 1000.0):
        for k in range(11):
            add(collected, gait([(1.0, 0.1)]), time_s=start + k)
    assert collected.seconds == 20


@pytest.mark.parametrize(
    ("step_s", "seconds"), [(LONGEST_STEP_S, 3 * LONGEST_STEP_S), (LONGEST_STEP_S + 0.1, 0)]
)
def test_a_slow_camera_counts_up_to_a_limit(step_s, seconds):
    collected = NormalFootage()
    for k in range(4):
        add(collected, time_s=k * step_s)
    assert collected.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("wide", [1, 100])
def test_footage_is_bounded_in_bytes_and_covers_the_whole_time(wide):
    row_bytes = 8 * wide + 8 + 8 + 4 + 16  # values, place, track, class, box
    collected = NormalFootage(max_bytes=3000 * row_bytes)
    frames = 40 * BLOCK_FRAMES
    for k in range(frames):
        group = gait([(1.0, 0.1)])
        add(collected, replace(group, values=np.tile(group.values, wide)), time_s=float(k))
    assert 1000 <= len(collected.tables()[0].frame) <= 3000 + BLOCK_FRAMES
    assert collected.time_s[0] == 0
    assert collected.time_s[-1] == frames - 1
    assert np.diff(collected.time_s).max() <= 8 * BLOCK_FRAMES


def test_a_table_holds_the_rows_of_every_frame_in_order():
    collected = footage(BLOCK_FRAMES + 44, with_cells=True)
    objects, scene = collected.tables()
    assert (objects.spec, scene.spec) == (GAIT, CELLS)
    assert objects.frame.tolist() == np.repeat(np.arange(BLOCK_FRAMES + 44), 2).tolist()
    assert scene.frame.tolist() == np.repeat(np.arange(BLOCK_FRAMES + 44), 3).tolist()
    assert len(collected.time_s) == BLOCK_FRAMES + 44
    assert objects.cells is None
    assert scene.cells.column_row[:3].tolist() == [[13, 7], [14, 7], [15, 7]]


def test_a_frame_without_regions_is_footage_too():
    collected = NormalFootage()
    for k in range(6):
        add(collected, gait([(1.0, 0.1)] * (k % 2)), time_s=k / 5)
    (table,) = collected.tables()
    assert table.frame.tolist() == [1, 3, 5]
    assert len(collected.time_s) == 6


def test_cells_of_another_picture_size_are_kept_on_the_larger_grid():
    collected, small = NormalFootage(), cells([5.0])
    large = cells([5.0])
    object.__setattr__(
        large, "cells", Cells(small.cells.column_row, small.cells.velocity, (20, 12))
    )
    for k, group in enumerate((small, large)):
        add(collected, group, time_s=k / 5)
    assert collected.tables()[0].cells.shape == (20, 16)


def test_no_footage_has_no_tables():
    assert NormalFootage().tables() == []
    assert NormalFootage().seconds == 0
