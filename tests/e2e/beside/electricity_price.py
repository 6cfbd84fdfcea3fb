"""The electricity model as in the package of all models together."""

from tests.e2e.together.electricity_price import electricity_price

__all__ = ["electricity_price"]
