"""Settings of every test process: one thread each, since several run beside each other."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
