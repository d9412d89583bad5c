"""Who resembles whom: k-means over participants by what they learnt and by what they see.

FedVAD's Federated Visual Consistency Clustering (Eqs. 2, 3), without a word of federation:
``geometry`` measures everybody against everybody else, once; ``kmeans`` parts them, ``number``
says into how many parts, ``labels`` keeps the parts' names from one time to the next. No centre is
ever written down: a centre is a mean of members, and the distances to it follow from theirs.
"""
