"""The command line without a window: ``python -m core``."""

import sys

from core.cli import main

sys.exit(main())
