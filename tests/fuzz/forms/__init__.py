"""Forms of input that are fuzzed: a module with NAME, `seeds` and `judge` joins by lying here."""
