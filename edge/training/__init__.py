"""Learning on the host: lessons out of stored features, and the student that is taught by them.

Where nobody has labelled anything, ``labelling`` finds out what to teach (CLAP), out of ``norms``,
``pseudo_labels`` and ``mixture`` (scikit-learn). ``lessons`` cut features into sequences, ``plan``
says how long they are taught, ``fit`` and ``course`` (torch) teach, ``checkpoint`` lets it go on
after the process was killed.
"""
