"""The version of this package."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["VERSION"]

try:
    VERSION = version("sereno")
except PackageNotFoundError:  # a source tree that nobody installed
    VERSION = "0.0.0"
