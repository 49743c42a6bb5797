"""What the programs of this folder take on their command lines."""

from __future__ import annotations

import argparse


def parser(program: str, about: str) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--connections", type=int, default=12, help="the worker's CONCURRENCY")
    return found


def parser_of_storms(program: str, about: str, *, rounds: str) -> argparse.ArgumentParser:
    """``rounds``: what there are so many of."""
    found = parser(program, about)
    found.add_argument("--pods", type=int, default=1000, help="alerts of a storm, a pod each")
    found.add_argument("--rounds", type=int, default=3, help=rounds)
    return found
