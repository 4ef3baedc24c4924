# SPDX-License-Identifier: BSD-2-Clause
"""The list of tests: a function whose name is the claim, in the file of its subject."""
import dataclasses
import os
from typing import Callable


@dataclasses.dataclass
class Case:
    subject: str
    claim: str
    run: Callable
    seconds: float


cases = []


def test(seconds=90):
    """Enter the function below; it may take @seconds."""
    def enter(f):
        subject = os.path.basename(f.__code__.co_filename)[len("test_"):-len(".py")]
        cases.append(Case(subject, f.__name__.replace("_", " "), f, seconds))
        return f
    return enter


def test_each(values, seconds=90):
    """One test for each (word, value): the word is appended to the claim."""
    def enter(f):
        subject = os.path.basename(f.__code__.co_filename)[len("test_"):-len(".py")]
        for word, value in values:
            cases.append(Case(subject, f.__name__.replace("_", " ") + " " + word,
                              lambda v=value: f(v), seconds))
        return f
    return enter
