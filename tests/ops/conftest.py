"""Where an image can't be built, tests/ops/test_built_image.py is not collected: it needs root, mounts and buildah."""

import os
import shutil
import subprocess
from tempfile import TemporaryDirectory


def can_build() -> bool:
    """Return whether this is root on Debian who may mount, with buildah and what a base is made of."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "unshare", "setpriv", "dpkg-query", "apt-cache"))):
        return False
    with TemporaryDirectory() as folder:
        commands = [
            "unshare --mount mount -t proc none /mnt",
            "dpkg-query --show python3-venv passwd tzdata",
            f"buildah --root {folder}/store --runroot {folder}/run --storage-driver vfs from scratch",
        ]
        return not any(subprocess.run(words.split(), capture_output=True, timeout=60).returncode for words in commands)


collect_ignore = [] if can_build() else ["test_built_image.py"]
