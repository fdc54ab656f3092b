"""The tests; a package, because gostcrypto installs one of the same name beside it."""
