"""Aggregator: averages what participants published and says how sure the average is."""

__version__ = "1.0.0"
