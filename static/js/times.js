// Tells each moment in the reader's own time zone, and keeps "3 hours ago" true while the page is open.
// It blocks the first rendering, so nothing moves. Where the server's words say the reader's time, they stay.

const UNITS = { day: 24 * 60, hour: 60 }; // minutes; no finer, for the server knows it no finer
const DAY = { day: "numeric", month: "long" };
const DATE = { ...DAY, year: "numeric" };
const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
const STYLES = { time: TIME, day: DAY, date: DATE, moment: { ...DATE, ...TIME } };

const language = document.documentElement.lang;
const ago = new Intl.RelativeTimeFormat(language);
const format = (style) => new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, style);
const full = format({ dateStyle: "full", timeStyle: "short" });
const formats = Object.fromEntries(Object.entries(STYLES).map(([name, style]) => [name, format(style)]));

const moment = (time) => new Date(time.dateTime);
const isLocal = (time) => +new Date(time.dateTime.slice(0, 16)) === +moment(time); // read without its offset

function tell(time) {
  const minutes = (Date.now() - moment(time)) / 60000;
  const [unit, length] = Object.entries(UNITS).find(([, length]) => minutes >= length) ?? [];
  if (unit) time.textContent = time.dataset.ago.replace("{}", ago.format(-Math.floor(minutes / length), unit));
}

// A heading and a list for each of the reader's days, in place of the server's.
function regroup(items) {
  const old = [...document.querySelectorAll(".events, :has(+ .events)")];
  const [heading, list] = old;
  let day, at;
  for (const item of items) {
    const words = formats.date.format(moment(item.querySelector("time")));
    if (words !== day) {
      at = list.cloneNode();
      heading.before(heading.cloneNode(), at);
      at.previousSibling.textContent = day = words;
    }
    at.append(item);
  }
  for (const element of old) element.remove();
}

const times = [...document.querySelectorAll("main time")];
for (const time of times) time.title = full.format(moment(time));

const elsewhere = times.filter((time) => time.dataset.as && !isLocal(time));
for (const time of elsewhere) time.textContent = formats[time.dataset.as].format(moment(time));

const events = document.querySelectorAll(".events > li");
if (events.length && elsewhere.length) regroup(events);

setInterval(() => document.querySelectorAll("time[data-ago]").forEach(tell), 60000);
