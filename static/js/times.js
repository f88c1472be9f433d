// Keeps "3 hours ago" true while the page is open, and says each moment in the reader's own time zone on hovering.
// The server's words stay until the first minute is over, so nothing on the page moves while it loads.

const UNITS = { day: 24 * 60, hour: 60 }; // minutes; no finer, for the server knows it no finer
const language = document.documentElement.lang;
const ago = new Intl.RelativeTimeFormat(language);
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });

function tell(time) {
  const minutes = (Date.now() - Date.parse(time.dateTime)) / 60000;
  const [unit, length] = Object.entries(UNITS).find(([, length]) => minutes >= length) ?? [];
  if (unit) time.textContent = time.dataset.ago.replace("{}", ago.format(-Math.floor(minutes / length), unit));
}

for (const time of document.querySelectorAll("main time")) time.title = full.format(new Date(time.dateTime));

setInterval(() => document.querySelectorAll("time[data-ago]").forEach(tell), 60000);
