"""Exit code 0 if the server in this container answers. Under the first of its names: to any other it says 400."""

import os
import sys
from http.client import HTTPConnection, HTTPException

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8000


def main() -> int:
    name = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".*") or "localhost"
    connection = HTTPConnection("127.0.0.1", PORT, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": name})
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException) as error:
        print(f"The server does not answer: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    raise SystemExit(main())
