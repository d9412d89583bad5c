from edge.domain.score import Reason


def test_a_reason_reads_as_a_sentence_would():
    speed = Reason("speed", 4.123, 1.6, "heights/s", above=True)
    assert str(speed) == "speed 4.12 heights/s, usual ≤ 1.6"
    assert str(Reason("slimness", 0.5, 1.25, "", above=False)) == "slimness 0.5, usual ≥ 1.25"


def test_where_words_are_among_them_every_term_is_told():
    terms = (("object-speed", 3.14), ("words", 0.0))
    said = str(Reason("speed", 4.0, 1.6, "heights/s", above=True, terms=terms))
    assert said == "speed 4 heights/s, usual ≤ 1.6 (object-speed 3.1, words 0.0)"
