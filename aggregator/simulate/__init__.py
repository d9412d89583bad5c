"""A federation in one place: which strategy learns how well, and at what cost.

* *scenario*: a data set in a setting; deals footage to participants (``tracks_*``, ``features``,
  ``streets``), and may know what the aggregator has of its own (``public_clips``);
* *learner*: a participant, trained by the host's own code (``edge.training``);
* *channel*: what happens to an update on its way, and its bytes (``edge.wire``, masking);
* *strategy*: the aggregator's own;
* *improver*: the aggregator's distillation (``distilling``), where a *method* asks for it;
* *bench*: the judge; causal frame scores of the test clips (``objects``, ``segments``).

Only the transport is missing: the code that trains, protects, compresses, screens, combines and
distils is the federation's. With ``--backend broker`` it is there too: *site*, *seat* and
*over_broker*.
Figures are those of the last round, mean and standard deviation over seeds.
"""
