from tests.resilience.conftest import tell

__all__ = ["tell"]
