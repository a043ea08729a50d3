"""Collector: reads CPU and hands one clipped window mean at a time over a Unix socket."""
