"""Keeping proofs alive: what ages out is stamped anew before it does.

`survey` asks of each settled submission when what proves it ages out; `renewal` puts those
whose time is near under one time stamp, many at once; `authority` is who stamps.
"""
