"""Reports as laboratories mean them: one content however often sent, one series each."""
