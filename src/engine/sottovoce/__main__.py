"""``sottovoce`` and ``python -m sottovoce``."""

from __future__ import annotations

import sys

#: What the command line itself needs; everything else is missed, with its own hint, when it is used.
_NEEDED = frozenset({"click", "rich", "pydantic", "platformdirs"})


def main() -> int:
    """Run the command line on the arguments of the process; returns the exit code."""
    try:
        from sottovoce.app.cli import run

        return run()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _NEEDED:
            raise
        sys.stderr.write(f"error: the command line needs {package}: pip install 'sottovoce[offline]'\n")
        return 3
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
