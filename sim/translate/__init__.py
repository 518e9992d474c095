"""Basic blocks of a program compiled as they are for the functional mode; see translator.py."""

from .translator import Translator

__all__ = ["Translator"]
