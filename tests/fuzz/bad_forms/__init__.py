"""Forms that break every promise: the fuzzer must notice each."""
