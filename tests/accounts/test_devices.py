"""User-Agent headers in words."""

import pytest

from accounts.devices import describe
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 {}Safari/537.36"
)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605"


class TestDescribe:
    @pytest.mark.parametrize(
        ("user_agent", "words", "kind"),
        [
            (FIREFOX, "Firefox 128 on Linux", "desktop"),
            (CHROME, "Chrome 131 on Windows", "desktop"),
            (CHROME + " Edg/131.0.0.0", "Edge 131 on Windows", "desktop"),
            (MAC, "Safari 17 on macOS", "desktop"),
            (IPHONE, "Safari 17 on iPhone", "phone"),
            (IPHONE.replace("iPhone", "iPad", 1), "Safari 17 on iPad", "tablet"),
            (ANDROID.format("Mobile "), "Chrome 131 on Android", "phone"),
            (ANDROID.format(""), "Chrome 131 on Android", "tablet"),
            ("curl/7.88.1", "curl 7", "other"),
            ("", "A browser we do not know", "other"),
            ("?" * 300, "A browser we do not know", "other"),
        ],
    )
    def test_says(self, user_agent, words, kind):
        device = describe(user_agent)

        assert (str(device), device.kind) == (words, kind)

    def test_quotes_nobody_at_length(self):
        assert len(str(describe("Mozilla/5.0 (compatible; " + "a" * 250 + "bot/1.0)"))) < 90

    def test_remembers(self):
        assert describe(FIREFOX) is describe(FIREFOX)
