"""Figures on data sets: readers of their folders, protocols, trivial baselines, reports.

Scores are causal unless a figure says otherwise; nothing is chosen by looking at test labels.
"""
