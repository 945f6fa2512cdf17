from typing import final

MIN_THRESHOLD_DBFS: float
MAX_THRESHOLD_DBFS: float
MIN_MARGIN_DB: float
MAX_MARGIN_DB: float
MAX_HOLD_S: float

@final
class Activity:
    """Somebody speaks, or does not: written by the capture callbacks of one recorder, read by any mixer."""

    def configure(self, threshold_dbfs: float = -45.0, margin_db: float = 12.0, hold_s: float = 0.4) -> None: ...
    @property
    def wanted(self) -> bool: ...
    @property
    def active(self) -> bool: ...
    @property
    def until_ns(self) -> int: ...
    def counters(self) -> dict[str, int]: ...
