"""Principles out of labelled pairs: proposed by a teacher, chosen by coding rate, audited, and edited by a person."""
