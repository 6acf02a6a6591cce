"""What profiles showed, what was tried, and what did not help: the notes on the page of benchmarks."""

from typing import Final

NOTES: Final = """## Notes
"""
