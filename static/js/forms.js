// Sends a form once: a second click while the answer is on its way would ask for the same again. Counts down. And keeps
// what was typed while the language is chosen.

const BUSY = 10000; // milliseconds: a page that is still there has been stopped, or has saved a file
const release = (form) => form.removeAttribute("aria-busy");

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.hasAttribute("aria-busy")) return event.preventDefault();
  event.target.setAttribute("aria-busy", "true");
  setTimeout(release, BUSY, event.target);
});

addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release)); // came back

function time(seconds) { // in minutes if there are many, as the server has it
  const [unit, n] = seconds < 100 ? ["second", seconds] : ["minute", Math.ceil(seconds / 60)];
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" }).format(n);
}

for (const hint of document.querySelectorAll("[data-wait]")) {
  const { words, over } = hint.dataset;
  const button = over ? {} : hint.closest("form").querySelector("button"); // what was refused may be tried otherwise
  const end = Date.now() + 1000 * hint.dataset.wait;
  const tell = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    hint.style.visibility = left > 0 || over ? "" : "hidden"; // nothing moves
    hint.textContent = left <= 0 && over ? over : words.replace("{}", time(left));
    if (left > 0) setTimeout(tell, 1000);
  };
  tell();
}

const FIELDS = "main :is(input, select, textarea):not([type=hidden], [type=file], [autocomplete$=password])";
const fields = () => [...document.querySelectorAll(FIELDS)]; // a password that is shown is text, but completes as one
const page = location.pathname + location.search;

document.querySelector(".languages")?.addEventListener("submit", () => {
  sessionStorage[page] = JSON.stringify(fields().map((field) => [field.value, field.checked]));
});

const typed = JSON.parse(sessionStorage[page] ?? "[]");
sessionStorage.removeItem(page); // for this one time
fields().forEach((field, i) => {
  if (typed[i]) [field.value, field.checked] = typed[i];
});
