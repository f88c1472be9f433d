from tests.faults.conftest import tell

__all__ = ["tell"]
