"""Adapters: programs that let a tool answer the questions of cases. One file a tool."""
