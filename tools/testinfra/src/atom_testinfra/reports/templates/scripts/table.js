// The table of all tests: however many rows there are, only those in sight exist.
const state = { profile: profiles.includes("local") ? "local" : profiles[0], words: [], tiers: null, key: "duration_s", isDescending: true, isByFolder: false };
const cost = (key, row) => rows.costs[state.profile]?.[key][row];
const timed = (key, title, more = {}) => ({ key, title, isNumber: true, isSum: true, className: "extra", value: (row) => cost(key, row), write: seconds, ...more });
const COLUMNS = [
  { key: "name", title: "Test", className: "col-test" },
  { key: "tier", title: "Tier", className: "col-tier extra", value: tier, write: String },
  timed("duration_s", "Time", { className: "col-time" }),
  { key: "split", title: "Split", className: "col-split extra", isFixed: true },
  timed("setup_s", "Set-up"), timed("generate_s", "Generating", { className: "col-broad extra" }), timed("body_s", "Body"), timed("engine_s", "Engine"), timed("filtered_s", "Given up"),
  { key: "n_examples", title: "Examples", isNumber: true, isSum: true, className: "col-broad extra", value: (row) => cost("n_examples", row), write: count },
  timed("seconds_per_example", "Each", { isSum: false }),
  ...(changes.some((change) => change !== null)
    ? [{ key: "change", title: "Change", help: "Cost per example at the last point in time, over that at the point before it that can be compared", isNumber: true, className: "extra", value: (row) => changes[row], write: ratio }]
    : []),
];
const columnOf = (key) => COLUMNS.find((column) => column.key === key && !column.isFixed);

const viewport = byId("viewport");
const head = byId("tests-columns");
const body = byId("tests-rows");
const rowHeight = () => parseFloat(getComputedStyle(root).getPropertyValue("--row")) * parseFloat(getComputedStyle(root).fontSize);
let haystack = null;
let found = [];
let order = [];
let first = -1;
let isPrinting = false;

const headings = COLUMNS.map((column) => {
  const th = attributes(element("th", { className: `${column.className ?? ""} ${column.isNumber ? "number" : ""}`.trim() }), { scope: "col", "data-title": column.title });
  if (column.isFixed) {
    th.append(element("span", { className: "static", textContent: column.title }));
    return th;
  }
  const button = element("button", { type: "button", textContent: column.title, title: column.help ?? "" });
  button.addEventListener("click", () => {
    state.isDescending = state.key === column.key ? !state.isDescending : Boolean(column.isNumber);
    state.key = column.key;
    refresh();
    writeAddress();
  });
  th.append(button);
  return th;
});
head.append(...headings);
const showOrder = () => {
  COLUMNS.forEach((column, place) => {
    if (column.isFixed) return;
    const isActive = column.key === state.key;
    headings[place].firstChild.textContent = isActive ? `${column.title} ${state.isDescending ? "\u2193" : "\u2191"}` : column.title;
    if (isActive) headings[place].setAttribute("aria-sort", state.isDescending ? "descending" : "ascending");
    else headings[place].removeAttribute("aria-sort");
  });
};

const compareTexts = (x, y) => (x < y ? -1 : x > y ? 1 : 0);
// Missing values come last, whichever the direction.
const compareValues = (x, y, otherwise) => {
  if (x === y) return otherwise();
  if (isMissing(x)) return 1;
  if (isMissing(y)) return -1;
  return x < y === state.isDescending ? 1 : -1;
};
const matches = (row) =>
  (state.tiers === null || state.tiers.has(tier(row))) && state.words.every((word) => haystack[row].includes(word));

const refresh = () => {
  haystack ??= Array.from({ length: n }, (_, row) => nodeid(row).toLowerCase());
  found = [];
  for (let row = 0; row < n; row += 1) if (matches(row)) found.push(row);
  const column = columnOf(state.key);
  const byName = (a, b) => compareTexts(haystack[a], haystack[b]);
  const value = column.value ?? ((row) => haystack[row]);
  found.sort((a, b) => compareValues(value(a), value(b), () => byName(a, b)));
  byId("shown").textContent = found.length === n ? `${count(n)} tests` : `${count(found.length)} of ${count(n)} tests`;
  viewport.scrollTop = 0;
  arrange();
};
const arrange = () => {
  order = state.isByFolder ? withFolders(found) : found;
  byId("table-tests").setAttribute("aria-rowcount", String(order.length + 1));
  first = -1;
  showOrder();
  renderRows();
};

const split = (row) => {
  const whole = cost("duration_s", row);
  const bar = element("span", { className: "split" });
  if (!whole) return bar;
  const spoken = [];
  for (const [part, title] of PARTS) {
    const value = cost(`${part}_s`, row) ?? 0;
    if (value <= 0) continue;
    const piece = element("span", { className: `part-${part}` });
    piece.style.inlineSize = `${(100 * value) / whole}%`;
    bar.append(piece);
    spoken.push(`${title} ${share(value / whole)}`);
  }
  bar.title = spoken.join(", ");
  return attributes(bar, { role: "img", "aria-label": bar.title });
};
const testLink = (row) => {
  const [, name, params] = /^(?:::)?([^[]*)(.*)$/s.exec(rows.name[row]);
  return element("a", { className: state.isByFolder ? "nodeid inside" : "nodeid", href: `#test=${encodeURIComponent(nodeid(row))}`, title: nodeid(row) }, [
    element("span", { className: "title" }, [element("span", { className: "name" }, breakable(name)), element("span", { className: "params", textContent: params })]), " ",
    element("span", { className: "path", textContent: rows.files[rows.file[row]] }),
  ]);
};
const renderCells = (heading, write) => COLUMNS.map((column) => {
  if (column.key === "name") return attributes(element("th", { className: column.className }, [heading]), { scope: "row" });
  const td = element("td", { className: `${column.className ?? ""} ${column.isNumber ? "number" : ""}`.trim() });
  td.append(write(column));
  return td;
});
const renderTest = (row) => element("tr", {}, renderCells(testLink(row), (column) => (column.key === "split" ? split(row) : column.write(column.value(row)))));
const renderRow = (entry, position) =>
  attributes(typeof entry === "number" ? renderTest(entry) : renderFolder(entry), { "aria-rowindex": String(position + 2) });
const space = (height) => {
  const filler = attributes(element("tr", { className: "space" }, [element("td")]), { "aria-hidden": "true" });
  filler.firstChild.style.blockSize = `${height}px`;
  return filler;
};
const renderRows = () => {
  const height = rowHeight();
  const extra = 12;
  const inSight = isPrinting ? order.length : Math.ceil(viewport.clientHeight / height) + 2 * extra;
  const start = isPrinting ? 0 : Math.max(0, Math.min(Math.floor(viewport.scrollTop / height) - extra, order.length - inSight));
  if (start === first) return;
  first = start;
  const stop = Math.min(order.length, start + inSight);
  const focused = document.activeElement?.closest?.("#tests-rows tr")?.getAttribute("aria-rowindex");
  const fresh = [];
  for (let position = start; position < stop; position += 1) fresh.push(renderRow(order[position], position));
  byId("nothing").hidden = order.length > 0;
  body.replaceChildren(space(start * height), ...fresh, space((order.length - stop) * height));
  if (focused) body.querySelector(`tr[aria-rowindex="${focused}"] :is(a, button)`)?.focus({ preventScroll: true });
};
const renderSoon = inNextFrame(renderRows);
viewport.addEventListener("scroll", renderSoon, { passive: true });
addEventListener("resize", () => { first = -1; renderSoon(); });
// Paper does not scroll: all rows are there while the page is printed.
const printAll = (value) => () => { isPrinting = value; arrange(); };
addEventListener("beforeprint", printAll(true));
addEventListener("afterprint", printAll(false));

const search = byId("search");
const focusRow = (position) => {
  if (position < 0) { search.focus(); return; }
  const target = Math.min(order.length - 1, position);
  const height = rowHeight();
  const headHeight = head.offsetHeight;
  const top = target * height;
  if (top < viewport.scrollTop) viewport.scrollTop = top;
  else if (top + height + headHeight > viewport.scrollTop + viewport.clientHeight) viewport.scrollTop = top + height + headHeight - viewport.clientHeight;
  renderRows();
  body.querySelector(`tr[aria-rowindex="${target + 2}"] :is(a, button)`)?.focus({ preventScroll: true });
};
viewport.addEventListener("keydown", (event) => {
  const here = document.activeElement?.closest?.("#tests-rows tr")?.getAttribute("aria-rowindex");
  const position = here ? Number(here) - 2 : -1;
  const page = Math.floor(viewport.clientHeight / rowHeight()) - 2;
  const moves = { ArrowDown: position + 1, ArrowUp: position - 1, PageDown: position + page, PageUp: Math.max(0, position - page), Home: 0, End: order.length - 1 };
  if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("thead")) return;
  event.preventDefault();
  focusRow(moves[event.key]);
});
search.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown") return;
  event.preventDefault();
  readFilters();
  focusRow(0);
});
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, select, textarea, dialog");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  search.focus();
  search.scrollIntoView({ block: "center" });
});

// Filters.
const form = document.querySelector(".filters");
const tierNames = ["fast", "medium", "slow", "over"].filter((name) => rows.tier.some((word) => rows.words[word] === name));
for (const name of tierNames) {
  byId("tiers").append(element("label", {}, [element("input", { type: "checkbox", name: "tier", value: name, checked: true, defaultChecked: true }), name]));
}
const firstProfile = state.profile;
for (const name of profiles) byId("profile").append(element("option", { value: name, textContent: name, selected: name === firstProfile, defaultSelected: name === firstProfile }));
const boxes = [...document.querySelectorAll('input[name="tier"]')];
const readFilters = () => {
  state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  state.profile = byId("profile").value || undefined;
  state.tiers = boxes.every((box) => box.checked) ? null : new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  state.isByFolder = byId("by-folder").checked;
  refresh();
  writeAddress();
};
form.addEventListener("input", inNextFrame(readFilters));
form.addEventListener("reset", () => setTimeout(readFilters));
form.addEventListener("submit", (event) => event.preventDefault());
