import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import DatasetError
from export.imitate.lessons import AT_ONCE, Lesson, Lessons, taught

SETTINGS = {"teacher": "a"}


def lesson(sizes, seed=0):
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    return Lesson(pictures, rng.normal(size=(len(sizes), 4)).astype(np.float32))


def same(a, b):
    pairs = zip(a.pictures, b.pictures, strict=True)
    return all(np.array_equal(x, y) for x, y in pairs) and np.array_equal(
        a.embeddings, b.embeddings
    )


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=4))
def test_a_lesson_is_kept_as_it_is(tmp_path, sizes):
    given_lesson = lesson(sizes)
    Lessons(tmp_path, SETTINGS).keep("n.0", given_lesson)
    assert same(Lessons(tmp_path, SETTINGS).find("n.0"), given_lesson)


def test_what_nobody_kept_is_not_found(tmp_path):
    assert Lessons(tmp_path, SETTINGS).find("n0") is None


def test_lessons_of_another_teacher_are_never_mixed_in(tmp_path):
    Lessons(tmp_path, SETTINGS)
    with pytest.raises(DatasetError, match=r"lessons of another teacher.* name another --work"):
        Lessons(tmp_path, {"teacher": "b"})


@pytest.mark.parametrize("keep", [0, 20, -1])
def test_a_damaged_lesson_is_refused(tmp_path, keep):
    lessons = Lessons(tmp_path, SETTINGS)
    lessons.keep("n0", lesson([(3, 3)]))
    path = tmp_path / "lessons" / "n0.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"n0\.safetensors: cannot be read"):
        lessons.find("n0")


def test_joined_lessons_keep_pictures_and_embeddings_together():
    a, b = lesson([(3, 3), (2, 5)]), lesson([(4, 1)], seed=1)
    joined = Lesson.joined([a, b])
    assert same(
        joined, Lesson([*a.pictures, *b.pictures], np.concatenate([a.embeddings, b.embeddings]))
    )


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1])
def test_the_teacher_says_the_same_of_a_picture_in_any_company(teacher, count):
    pictures = lesson([(8 + k, 8) for k in range(count)]).pictures
    found = taught(pictures, teacher).embeddings
    alone = [teacher.embed(teacher.prepare(picture)[None, None])[0] for picture in pictures]
    assert np.allclose(found, np.reshape(alone, (-1, teacher.width)), atol=1e-5)
