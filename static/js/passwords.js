// Shows a password while its eye is pressed, and says whether it is long enough. The server alone judges it.

const ROWS = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "90"];

// The rule of PredictableValidator: what is refused must not be praised.
function isPredictable(password) {
  const text = password.toLowerCase();
  const follows = (one, other) =>
    Math.abs(one.codePointAt(0) - other.codePointAt(0)) <= 1 ||
    ROWS.some((row) => row.includes(one + other) || row.includes(other + one));
  const chars = [...text];
  const surprises = new Set(chars.filter((char, i) => !i || !follows(chars[i - 1], char)));
  return surprises.size < 5 || (text + text).slice(1, -1).includes(text);
}

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
    const level = length < input.minLength ? "short" : isPredictable(input.value) ? "predictable" : "enough";
    hint.hidden = !length;
    if (hint.dataset.level === level) return; // or it would be read aloud at each key
    hint.dataset.level = level;
    hint.textContent = hint.dataset[level];
  });
}
