// Sends a form once: a second click while the answer is on its way would ask for the same again. And counts down.

const BUSY = 10000; // milliseconds: a page that is still there has been stopped, or has saved a file
const release = (form) => form.removeAttribute("aria-busy");

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.hasAttribute("aria-busy")) return event.preventDefault();
  event.target.setAttribute("aria-busy", "true");
  setTimeout(release, BUSY, event.target);
});

addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release)); // came back

for (const hint of document.querySelectorAll("[data-wait]")) {
  const button = hint.closest("form").querySelector("button");
  const seconds = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "second", unitDisplay: "long" });
  const end = Date.now() + 1000 * hint.dataset.wait;
  const tell = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    hint.style.visibility = left > 0 ? "" : "hidden"; // nothing moves
    hint.textContent = hint.dataset.words.replace("{}", seconds.format(left));
    if (left > 0) setTimeout(tell, 1000);
  };
  tell();
}
