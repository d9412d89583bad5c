"""A small backbone that gives a large one's embeddings: what a host without a GPU looks through.

The teacher is asked once about pictures of unlabelled footage; a small network is then trained from
end to end to say the same of them. Its embeddings lie in the teacher's space, lengths and all, so
whatever was learnt on the teacher's embeddings, and words where the teacher knows words, can be
tried on them. How closely they agree is told on clips that took no part.
"""
