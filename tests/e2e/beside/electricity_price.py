"""The electricity model as in the package of both."""

from tests.e2e.both.electricity_price import electricity_price

__all__ = ["electricity_price"]
