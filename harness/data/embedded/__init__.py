"""draft"""
from harness.data.embedded.rows import WORLD_VERSION
