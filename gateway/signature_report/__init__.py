"""The verdict on signatures, told: JSON, ETSI TS 119 102-2 XML, a page for people.

Everything here reads a finished `SignatureReport`; nothing here judges.
"""
