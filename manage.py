#!/usr/bin/env python
"""Sojourn's command line: Django's own commands, and `demo`.

The syntax of this file stays readable for old Pythons, so that they get a sentence and not a SyntaxError.
"""

import os
import sys


def main(argv):
    if sys.version_info < (3, 11):
        return refuse("Sojourn needs Python 3.11 or later, and this is Python %d.%d." % sys.version_info[:2])
    try:
        import django.core.management as management
        from django.core.exceptions import ImproperlyConfigured
    except ImportError:
        return refuse("Django is not installed for this Python: run `pip install -r requirements.txt` first.")
    if argv[1:2] == ["demo"]:
        from project import demo

        return demo.main(argv[2:])
    if argv[1:2] != ["check"]:  # whose subject is the environment
        # The folder is the server's, which could not read what a command of root's leaves in it.
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        management.execute_from_command_line(argv)
    except ImproperlyConfigured as error:
        return refuse(error)
    except KeyboardInterrupt:
        return 130  # as shells have it
    return 0


def refuse(sentence):
    sys.stderr.write("%s\n" % sentence)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
