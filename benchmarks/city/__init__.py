"""Whole cities: how each stage grows from 5,000 to 500,000 cameras."""
