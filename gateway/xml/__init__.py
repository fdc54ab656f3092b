"""The one hardened XML parser, and canonicalisation."""
