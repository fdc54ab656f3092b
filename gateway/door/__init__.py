"""The door both HTTP faces stand behind: what is checked before a request is understood.

Bodies, digests, parts and media types are read here; `api` and `fhir_api` only say what
they want and in whose words a refusal is spoken.
"""
