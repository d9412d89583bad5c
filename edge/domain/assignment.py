"""Which old belongs to which new: the pairing of the greatest total gain.

Most rows of a tracker's matrix have one candidate, which nobody else wants: those are paired at
once. What is left is solved exactly by the Hungarian method with potentials (Kuhn 1955; in the
shortest augmenting path form of Jonker and Volgenant 1987), the inner loop in numpy.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Indices: TypeAlias = npt.NDArray[np.intp]
Gains: TypeAlias = npt.NDArray[np.float64]


def assign(gain: Gains) -> tuple[Indices, Indices]:
    """Pair rows with columns of an (A, B) matrix so that the sum of gains is greatest.

    Pairs of gain ≤ 0 are never made; every row and column is used at most once. Returns the rows
    and the columns of the pairs.
    """
    possible = gain > 0
    alone = possible & (possible.sum(1) == 1)[:, None] & (possible.sum(0) == 1)[None, :]
    rows, columns = np.nonzero(alone)
    possible[rows] = False
    left_rows, left_columns = np.nonzero(possible.any(1))[0], np.nonzero(possible.any(0))[0]
    if not len(left_rows):
        return rows, columns
    left = np.maximum(gain[np.ix_(left_rows, left_columns)], 0)
    more_rows, more_columns = _hungarian(left)
    return (
        np.concatenate([rows, left_rows[more_rows]]),
        np.concatenate([columns, left_columns[more_columns]]),
    )


def _hungarian(gain: Gains) -> tuple[Indices, Indices]:
    """The same for a dense non-negative matrix; pairs of zero gain are left out."""
    if gain.shape[0] > gain.shape[1]:
        columns, rows = _hungarian(gain.T)
        return rows, columns
    row_of = _augment_all(-gain)  # (B,)
    columns = np.nonzero(row_of >= 0)[0]
    rows = row_of[columns]
    real = gain[rows, columns] > 0
    return rows[real], columns[real]


def _augment_all(cost: Gains) -> Indices:
    """The row given to each column, -1 for none, at least cost; needs rows ≤ columns."""
    count, width = cost.shape
    row_of = np.full(width + 1, -1, np.intp)  # the last column is where each search starts
    row_price = np.zeros(count)
    column_price = np.zeros(width + 1)
    for row in range(count):
        row_of[width] = row
        _augment(cost, row_of, row_price, column_price)
    return row_of[:width]


def _augment(cost: Gains, row_of: Indices, row_price: Gains, column_price: Gains) -> None:
    """Give the row parked on the last column a column, along the cheapest alternating path."""
    width = cost.shape[1]
    distance = np.full(width, np.inf)
    before = np.full(width, width, np.intp)
    visited = np.zeros(width + 1, np.bool_)
    column = width
    while row_of[column] >= 0:
        visited[column] = True
        row = row_of[column]
        reach = cost[row] - row_price[row] - column_price[:width]
        shorter = (reach < distance) & ~visited[:width]
        distance[shorter] = reach[shorter]
        before[shorter] = column
        open_distance = np.where(visited[:width], np.inf, distance)
        nearest = int(open_distance.argmin())
        step = open_distance[nearest]
        row_price[row_of[visited]] += step
        column_price[visited] -= step
        distance -= np.where(visited[:width], 0, step)
        column = nearest
    while column != width:
        row_of[column] = row_of[before[column]]
        column = int(before[column])
    row_of[width] = -1
