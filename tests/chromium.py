"""Chromium without a window, for tests that look at pages. Needs the extra `browser`."""

import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


def check_installed():
    """Skip, or fail, where something is missing."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        missing("selenium (extra browser)")
    if CHROMIUM is None or DRIVER is None:
        missing("Chromium or chromedriver")


def missing(what):
    """Skip, or fail where the run promised a browser."""
    if os.environ.get("FASTBP_BROWSER_TESTS") == "required":
        pytest.fail(f"{what} is missing, and these tests are required here")
    pytest.skip(f"{what} is not installed; .ci/run page runs this")


class Browser:
    """Chromium without a window."""

    def __init__(self):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_page_load_timeout(60)

    def open(self, page, folder, width=1440, height=1000, **media):
        """Show the text of a page."""
        path = folder / "page.html"
        path.write_text(page, encoding="utf-8")
        self.size(width, height)
        features = [
            {"name": name.replace("_", "-"), "value": value} for name, value in media.items()
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(path.as_uri())
        self.settle()

    def size(self, width, height=1000):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def settle(self):
        """Wait until the page has drawn what it should."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        )

    def run(self, script, *arguments):
        result = self.driver.execute_script(script, *arguments)
        self.settle()
        return result

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def click(self, selector):
        self.driver.find_element("css selector", selector).click()
        self.settle()

    def keys(self, *keys, to=None):
        from selenium.webdriver.common.keys import Keys

        target = (
            self.driver.find_element("css selector", to)
            if to
            else self.driver.switch_to.active_element
        )
        target.send_keys(*[getattr(Keys, key, key) for key in keys])
        self.settle()

    def choose(self, select, value):
        """Choose an option as a reader does who uses the keyboard or the pointer."""
        script = """const list = document.querySelectorAll(".pickers select")[arguments[0]];
            list.value = arguments[1]; list.dispatchEvent(new Event("change"))"""
        self.run(script, select, str(value))

    def step(self):
        self.click("[aria-label=Step]")

    def complaints(self):
        return [
            entry for entry in self.driver.get_log("browser") if "favicon" not in entry["message"]
        ]
