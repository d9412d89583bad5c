"""What a host does in a federation: the round, what may leave, and who it is."""
