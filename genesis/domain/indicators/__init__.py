"""Indicators: one step definition each over a small float64 state, the same live, in a loop and compiled.

A step takes `(state, at, numbers...)`: `state` is a flat list of floats (or float64 array) that may hold several
indicators, `at` where this one begins. So an indicator that uses others, and a strategy that uses indicators, keep one
flat state, and a checkpoint is a list of numbers. Steps use nothing but arithmetic and `math`, never divide by zero,
and answer NaN until warm. Conventions (seeds, smoothing) are TA-Lib's.
"""
