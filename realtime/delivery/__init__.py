"""What has arrived at whom: acknowledgements as ranges of seqs, per person and stream."""
