"""stub"""

from dataclasses import dataclass


@dataclass
class Report:
    a: object
    b: object
    c: object
    d: object
    e: object


def page(r):
    return ""
