"""A browser that Selenium drives is signed in by the recipe of docs/howto/test.md."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests import chromium
from tests.postgres import give_up
from tokens.testing import browser_cookies

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.urls("tests.tokens.urls")]

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/howto/test.md"
PROGRAM = """
import json, sys
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

url, cookies, chromium, chromedriver = sys.argv[1:]
options = ChromeOptions()
options.binary_location = chromium
for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
    options.add_argument(argument)
driver = Chrome(options, Service(chromedriver))
cookies = json.loads(cookies)
%s
driver.get(url + "/who/")
print(driver.find_element(By.TAG_NAME, "body").text)
driver.quit()
"""


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_the_recipe_signs_it_in(live_server, bob, tmp_path):
    driver = shutil.which("chromedriver")
    if driver is None:
        give_up("No chromedriver here: `apt install chromium-driver`.")
    with sync_playwright() as playwright:
        browser = chromium.executable(playwright.chromium)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    python = tmp_path / "environment/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", "selenium==4.30.0"], check=True)
    [recipe] = re.findall(r"```python\n(driver.get.*?)```", PAGE.read_text(), flags=re.DOTALL)
    recipe = recipe.replace("tokens.testing.browser_cookies(user, live_server.url)", "cookies")
    lines = recipe.replace("live_server.url", "url")
    cookies = json.dumps(browser_cookies(bob, live_server.url))
    command = [python, "-c", PROGRAM % lines, live_server.url, cookies, browser, driver]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout == "bob\n", done.stderr
