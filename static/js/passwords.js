// Shows a password while its eye is pressed, and says what its length is worth. The server alone judges it.

const LEVELS = { 0: "short", 8: "enough", 12: "good", 16: "long" };

for (const toggle of document.querySelectorAll(".password-toggle")) {
  const input = document.getElementById(toggle.getAttribute("aria-controls"));
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    toggle.setAttribute("aria-pressed", shown);
  };
  toggle.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false)); // browsers keep what was typed into a field of text
  toggle.hidden = false;
}

for (const hint of document.querySelectorAll(".strength")) {
  const input = document.getElementById(hint.dataset.of);
  input.addEventListener("input", () => {
    const length = [...input.value].length; // as the server counts: an emoji is one
    const [, level] = Object.entries(LEVELS).findLast(([least]) => length >= least);
    hint.hidden = !length;
    if (hint.dataset.level === level) return; // or it would be read aloud at each key
    hint.dataset.level = level;
    hint.textContent = hint.dataset[level];
  });
}
