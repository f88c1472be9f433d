// What a page is like, measured in the page itself. Functions that end in figures return them; the others return
// complaints, one line each, and nothing where all is well.

const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex^='-'])";
const LEAST_TARGET = 24; // CSS pixels, WCAG 2.5.8
const LEAST_RING = 2; // WCAG 2.4.13
const LONGEST_HEAD = 1000; // bytes; those of ours have up to 900

const style = (element, pseudo) => getComputedStyle(element, pseudo);
const stops = () => [...document.querySelectorAll(FOCUSABLE)].filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled);
const named = (element) => {
  const words = (element.innerText || element.getAttribute("aria-label") || element.name || element.getAttribute("class") || "").trim();
  return `${element.localName} "${words.slice(0, 40)}"`;
};

// Colours

const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const mixed = new Map();

function channels(colour) {
  if (!mixed.has(colour)) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    mixed.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
  }
  return mixed.get(colour);
}

function luminance(colour) {
  const [red, green, blue] = channels(colour).map((byte) => byte / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function backdrop(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = style(at).backgroundColor;
    if (channels(colour)[3] > 127) return colour;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "black" : "white";
}

// Figures

const rendered = () => new Promise((tell) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(tell))));

async function focused() {
  await rendered(); // autofocus waits for it
  const element = document.activeElement;
  return element === document.body ? "" : element.name || element.className;
}

// Each by how much of the window, and what it was, from where to where; but for what somebody has just unfolded.
async function shifts() {
  const found = [];
  const told = ({ value, sources }) => [value, sources.map(moved)];
  const unasked = (list) => list.getEntries().filter((shift) => !shift.hadRecentInput);
  new PerformanceObserver((list) => found.push(...unasked(list).map(told))).observe({ type: "layout-shift", buffered: true });
  await rendered();
  return found;
}

function moved({ node, previousRect: before, currentRect: after }) {
  const [from, to] = [before, after].map(({ x, y }) => `${Math.round(x)},${Math.round(y)}`);
  return `${node?.nodeType === Node.ELEMENT_NODE ? named(node) : "a text"} from ${from} to ${to}`;
}

// Bytes over the wire, cached or not: the bodies as they were sent, and a head for each.
function weight() {
  const sent = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return sent.reduce((sum, entry) => sum + entry.encodedBodySize + LONGEST_HEAD, 0);
}

function blocking() {
  return performance.getEntriesByType("resource").filter((entry) => entry.renderBlockingStatus === "blocking").map((entry) => new URL(entry.name).pathname);
}

function fields() {
  return [...document.querySelectorAll("main input:not([type=hidden]), main textarea")].map((element) => ({
    ...Object.fromEntries([...element.attributes].map((attribute) => [attribute.name, attribute.value])),
    last: element === [...element.form.elements].filter((one) => one.matches("input:not([hidden], [type=hidden], [type=checkbox])")).at(-1),
  }));
}

// The page; and on phones and desktops the lists of the admin, which scroll by themselves between the two.
function tooWide() {
  const list = document.querySelector("#changelist .results");
  if (list && (innerWidth <= 600 || (innerWidth >= 1280 && !document.documentElement.style.fontSize)) && list.scrollWidth > list.clientWidth) return ["the list"];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((element) => element.getBoundingClientRect().right > clientWidth + 1);
  return [`${scrollWidth} of ${clientWidth} px: ${wide.slice(0, 3).map(named).join(", ")}`];
}

// Words on top of other words, by more than the lines of a paragraph touch; what is cut off covers nothing.
function colliding() {
  if (document.querySelector(":popover-open")) return []; // which covers what it likes
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const words = [];
  while (walker.nextNode()) {
    const { currentNode: text } = walker;
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest(".visually-hidden, .skip, .skip-to-content-link, option")) continue;
    const edges = [];
    for (let at = element; at; at = at.parentElement) if (style(at).overflowX !== "visible") edges.push(at.getBoundingClientRect().right);
    const range = document.createRange();
    range.selectNodeContents(text);
    words.push(...[...range.getClientRects()].map(({ x, y, right, bottom }) => ({ text, x, y, bottom, right: Math.min(right, ...edges) })));
  }
  const over = (one, other) => Math.min(one.right, other.right) - Math.max(one.x, other.x) > 2 && Math.min(one.bottom, other.bottom) - Math.max(one.y, other.y) > (one.bottom - one.y) / 3;
  const found = words.flatMap((one, at) => words.slice(at + 1).filter((other) => one.text !== other.text && over(one, other)).map((other) => `"${one.text.data.trim()}" and "${other.text.data.trim()}"`));
  return [...new Set(found)];
}

// Words that go on in the next line, but for where they may be hyphenated.
function torn() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const { currentNode: text } = walker;
    if (!text.parentElement.checkVisibility({ visibilityProperty: true })) continue;
    for (const { 0: word, index } of text.data.matchAll(/[\p{Script=Latin}\u00ad]+/gu)) {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const lines = new Set([...range.getClientRects()].map(({ y }) => y));
      if (lines.size > word.split("\u00ad").length) found.push(word);
    }
  }
  return found;
}

// Without scripts, a control that needs one is not there.
function dead() {
  const controls = [...document.querySelectorAll("button, input, select, textarea, [role=button]")].filter((element) => element.checkVisibility());
  const lost = controls.filter((element) => !element.popoverTargetElement && (!element.form || element.type === "button"));
  const formless = [...document.forms].filter((form) => controls.some((element) => element.form === form) && !form.querySelector("button:not([type=button]), [type=submit]"));
  return [...lost.map(named), ...formless.map((form) => `${named(form)} has no button`)];
}

// Pointers

// An open menu covers what it likes, until it is closed.
function tooSmall() {
  const menu = document.querySelector(":popover-open") ?? document;
  return stops().filter((element) => menu.contains(element) && !inText(element) && !isHit(element)).map(named);
}

// A link within a sentence may be as high as its line.
function inText(element) {
  const beside = [...element.parentElement.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return element.localName === "a" && style(element).display === "inline" && beside.length > 0;
}

function isHit(element) {
  document.activeElement.blur();
  if (element.matches(".skip, .skip-to-content-link")) element.focus();
  element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const area = element.labels?.length && element.matches("[type=checkbox], [type=radio]") ? element.labels[0] : element;
  return [...element.getClientRects(), ...area.getClientRects()].some(({ x, y, width, height }) =>
    [-1, 1].every((right) =>
      [-1, 1].every((down) => {
        const reach = LEAST_TARGET / 2 - 0.5;
        const hit = document.elementFromPoint(x + width / 2 + right * reach, y + height / 2 + down * reach);
        return hit && (element.contains(hit) || area.contains(hit));
      }),
    ),
  );
}

// Keyboards

function unseenFocus() {
  return stops().flatMap((element) => {
    document.activeElement.blur();
    const before = ring(element);
    element.focus();
    const after = ring(element);
    const { x, y, right, bottom } = element.getBoundingClientRect();
    if (document.activeElement !== element) return [`${named(element)} takes no focus`];
    if (right <= 0 || bottom <= 0 || x >= innerWidth || y >= innerHeight) return [`${named(element)} is out of sight`];
    if (!after.width || after.width < LEAST_RING || JSON.stringify(before) === JSON.stringify(after)) return [`${named(element)} has no ring`];
    const around = contrast(after.colour, backdrop(element.parentElement));
    return around < 3 ? [`the ring of ${named(element)} has a contrast of ${around.toFixed(1)}`] : [];
  });
}

function ring(element) {
  const { outlineStyle, outlineWidth, outlineColor } = style(element);
  return { width: outlineStyle === "none" ? 0 : parseFloat(outlineWidth), colour: outlineColor };
}

// Within the page proper, the next stop of the Tab key is never above the one before it, unless it is in the next column.
function backwards() {
  const shown = stops().filter((element) => element.closest("main"));
  const ahead = (next, last) => (style(document.body).direction === "rtl" ? next.right <= last.left : next.left >= last.right);
  const up = shown.filter((element, at) => {
    const [next, last] = [element, shown[at - 1] ?? element].map((one) => one.getBoundingClientRect());
    return next.bottom <= last.top && !ahead(next, last);
  });
  return [...up.map((element) => `up to ${named(element)}`), ...stops().filter((element) => element.tabIndex > 0).map((element) => `${named(element)} has an order of its own`)];
}

// Colours that the person has chosen

function vanished() {
  const edges = [...document.querySelectorAll("button, .button, input:not([type=hidden], [type=checkbox], [type=radio]), select, textarea")].filter((element) => element.checkVisibility());
  const unbounded = edges.filter((element) => !parseFloat(style(element).borderTopWidth) || contrast(style(element).borderTopColor, backdrop(element.parentElement)) < 3);
  const texts = [...document.body.querySelectorAll("*")].filter((element) => element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  const faint = texts.filter((element) => !element.closest("svg, option") && contrast(style(element).color, backdrop(element)) < 4.5);
  const icons = [...document.querySelectorAll("svg")].filter((element) => element.checkVisibility());
  const pale = icons.filter((icon) => ![...icon.querySelectorAll("*")].some((shape) => [style(shape).fill, style(shape).stroke].some((colour) => colour !== "none" && contrast(colour, backdrop(icon)) >= 3)));
  const current = [...document.querySelectorAll("[aria-current]")].filter((element) => element.checkVisibility());
  const plain = current.filter((element) => sameWithoutColour(element, element.parentElement.querySelector("a:not([aria-current])")));
  const edged = current.filter((element) => element.matches("a") && parseFloat(style(element).borderBottomWidth));
  const alike = edged.filter((element) => [...element.parentElement.querySelectorAll("a:not([aria-current])")].some((other) => style(other).borderBottomColor === style(element).borderBottomColor));
  return [
    ...alike.map((element) => `${named(element)} has the edge of its neighbours`),
    ...unbounded.map((element) => `${named(element)} has no edge`),
    ...faint.map((element) => `${named(element)} is faint`),
    ...pale.map((element) => `the icon in ${named(element.parentElement)} is faint`),
    ...plain.map((element) => `${named(element)} does not look current`),
  ];
}

function sameWithoutColour(one, other) {
  if (!other) return false;
  const shape = (element) => ["fontWeight", "borderBottomWidth", "borderLeftWidth", "textDecorationLine", "outlineStyle"].map((name) => style(element)[name]);
  return JSON.stringify(shape(one)) === JSON.stringify(shape(other));
}

function moving() {
  const lasting = (durations) => durations.split(",").some((duration) => parseFloat(duration) > 0.01);
  const parts = [...document.querySelectorAll("*")].flatMap((element) => [undefined, "::before", "::after"].map((pseudo) => [element, style(element, pseudo)]));
  return [
    ...parts.filter(([, { transitionDuration, animationDuration }]) => lasting(transitionDuration) || lasting(animationDuration)).map(([element]) => named(element)),
    ...document.getAnimations().map(() => "an animation runs"),
  ];
}
