"""Receipts: signed statements of ours that anybody can check without asking us."""
