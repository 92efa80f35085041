const data = JSON.parse(document.getElementById("data").textContent);
const { rows, parts: PARTS } = data;
const n = rows.name.length;
const MISSING = "\u2013";
const byId = (id) => document.getElementById(id);
const element = (tag, properties = {}, children = []) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
// The text in pieces between which a line may end: after `::`, `/`, `_` and `[`, as in the rest of the page.
const breakable = (text) => text.split(/(?<=::|[/_[])/).flatMap((piece, place) => (place ? [element("wbr"), piece] : [piece]));
const attributes = (node, values) => {
  for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
  return node;
};

// Figures, written as the rest of the report writes them: three digits and a unit.
const digits = (value) => {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
};
const isMissing = (value) => value === null || value === undefined;
const seconds = (value) => {
  if (isMissing(value)) return MISSING;
  if (value === 0) return "0 s";
  const rounded = Number(value.toPrecision(3));
  if (rounded < 1e-3) return `${digits(value * 1e6)} \u00b5s`;
  if (rounded < 1) return `${digits(value * 1e3)} ms`;
  return `${digits(value)} s`;
};
const micros = (value) => seconds(isMissing(value) ? null : value / 1e6);
const count = (value) => (isMissing(value) ? MISSING : value.toLocaleString("en"));
const ratio = (value) => (isMissing(value) ? MISSING : `${digits(value)}x`);
const share = (value) => {
  if (isMissing(value) || !Number.isFinite(value)) return MISSING;
  if (value > 0 && value < 0.01) return "< 1 %";
  if (value > 0.99 && value < 1) return "> 99 %";
  return `${(value * 100).toFixed(0)} %`;
};

const profiles = Object.keys(rows.costs);
const nodeid = (row) => rows.files[rows.file[row]] + rows.name[row];
const tier = (row) => rows.words[rows.tier[row]];

// A test's points in time; the columns are those of `histories_of` in page_data.py.
const POINT = 7;
const points = (id) => {
  const flat = Object.hasOwn(data.history.points, id) ? data.history.points[id] : [];
  return Array.from({ length: flat.length / POINT }, (_, place) => {
    const [moment, line, cost, low, high, change, begins] = flat.slice(place * POINT, (place + 1) * POINT);
    const [at, name] = data.history.moments[moment];
    return { at, name, line, cost, low, high, change, begins };
  });
};
const changes = Array.from({ length: n }, (_, row) => {
  const found = points(nodeid(row));
  const last = found.at(-1);
  const before = found.slice(0, -1).findLast((point) => point.line === last.line);
  return before && before.cost ? last.cost / before.cost : null;
});
