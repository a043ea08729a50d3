"""Aggregator: averages what participants published and says how sure the average is."""
