"""What an object of a street does, as far as a caption can tell."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from edge.domain.truth import ObjectTruth

Act: TypeAlias = Literal[
    "walking", "running", "cycling", "driving", "standing", "stooping", "lying", "nothing"
]
ACTS: tuple[Act, ...] = get_args(Act)

_OF_PEOPLE: dict[str, Act] = {
    "walking": "walking",
    "wrong_way": "walking",  # where to is not to be seen in a crop
    "running": "running",
    "standing": "standing",
    "browsing": "standing",
    "loitering": "standing",
    "dropping": "stooping",
}
_OF_OTHERS: dict[str, Act] = {"bicycle": "cycling", "car": "driving", "bag": "lying"}


def act_of(truth: ObjectTruth) -> Act:
    """What a caption would say of an object."""
    return _OF_OTHERS.get(truth.species) or _OF_PEOPLE[truth.action]
