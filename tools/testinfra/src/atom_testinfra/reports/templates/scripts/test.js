// One test, by its link.
const dialog = byId("detail");
let opener = null;
let shownTest = null;
const fact = (term, text) => [element("dt", { textContent: term }), element("dd", { textContent: text })];
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
const command = (id) => `${data.rootdir ? `cd ${quoted(data.rootdir)} && ` : ""}pytest ${quoted(id)}`;

const svg = (tag, values) => attributes(document.createElementNS("http://www.w3.org/2000/svg", tag), values);
// A line with its band: the points have places, all in the same box of 100 by 100.
const drawLine = (line) => {
  const path = (places) => places.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
  const band = [...line.map(({ x, high }) => [x, high]), ...line.toReversed().map(({ x, low }) => [x, low])];
  return [svg("polygon", { class: "band", points: path(band) }), svg("polyline", { points: path(line.map(({ x, y }) => [x, y])) })];
};
const drawDot = ({ x, y }, className, title) => {
  const dot = svg("path", { class: className, d: `M${x.toFixed(2)} ${y.toFixed(2)}h0.001` });
  dot.append(svg("title", {}));
  dot.firstChild.textContent = title;
  return dot;
};
const drawHistory = (found) => {
  const highest = Math.max(...found.map((point) => point.high ?? point.cost)) || 1;
  const x = (point) => (100 * found.indexOf(point)) / Math.max(1, found.length - 1);
  const y = (value) => 100 - (90 * value) / highest;
  const place = (point) => ({ x: x(point), y: y(point.cost), low: y(point.low ?? point.cost), high: y(point.high ?? point.cost) });
  const drawn = [];
  for (const number of new Set(found.map((point) => point.line))) {
    const line = found.filter((point) => point.line === number);
    drawn.push(...drawLine(line.map(place)));
    for (const point of line) {
      drawn.push(drawDot(place(point), point.change === null ? "dot" : "dot marked", `${point.at}, ${point.name.slice(0, 12)}: ${micros(point.cost)}`));
    }
  }
  byId("detail-lines").replaceChildren(...drawn);
  byId("detail-top").textContent = `from 0 to ${micros(highest / 0.9)}`;
  byId("detail-first").textContent = found[0].at;
  byId("detail-last").textContent = found.at(-1).at;
};
const remarkOf = (point) => {
  if (point.change !== null) return `another level: ${ratio(point.change)}`;
  return point.begins === null ? "" : `a new line: ${point.begins}`;
};
const showHistory = (id) => {
  const found = points(id);
  byId("detail-history").hidden = found.length < 2;
  if (found.length < 2) return;
  drawHistory(found);
  byId("detail-points").replaceChildren(...found.toReversed().map((point) => element("tr", {}, [
    element("td", { textContent: point.at }), element("td", { textContent: point.name.slice(0, 12) }),
    element("td", { className: "number", textContent: micros(point.cost) }), element("td", { textContent: remarkOf(point) }),
  ])));
};
// A test's detection curve; its columns are those of `curves_of` in page_data.py.
const MOST = 500;
const drawCurve = (own, found) => {
  const most = Math.max(MOST, own);
  const x = (number) => (100 * Math.log(Math.max(number, 1))) / Math.log(most);
  const place = ({ number, value, low, high }) => ({ x: x(number), y: 100 - 100 * value, low: 100 - 100 * low, high: 100 - 100 * high });
  const now = found.find(({ number }) => number === own);
  const { most: tried } = data.curves;
  const says = `${count(own)} examples now${own > tried ? `, more than the ${count(tried)} tried: at least` : ":"} ${share(now.value)}`;
  const today = svg("g", { class: "today" });
  today.append(drawDot(place(now), "dot", says));
  byId("detail-curve-now").textContent = says;
  byId("detail-curve-lines").replaceChildren(...drawLine(found.filter(({ number }) => number <= tried).map(place)), today);
  byId("detail-curve-ticks").replaceChildren(...[1, 10, 100, most].map((number) => {
    const tick = element("span", { textContent: count(number) });
    tick.style.insetInlineStart = `${x(number)}%`;
    return tick;
  }));
  byId("detail-curve-points").replaceChildren(...found.map(({ number, value, low, high }) => element("tr", {}, [
    `${count(number)}${number === own ? " (now)" : ""}`, share(value), share(low), share(high),
  ].map((textContent) => element("td", { className: "number", textContent })))));
};
const showCurve = (row) => {
  const curve = data.curves.fresh[row];
  const isStale = data.curves.stale.includes(row);
  byId("detail-curve").hidden = !curve && !isStale;
  byId("detail-curve-plot").hidden = !curve;
  byId("detail-curve-says").textContent = isStale ? "Its curve is stale, and not drawn: the code or the tests changed since it was learnt. Learn it again: testinfra mutate --curves" : "";
  if (!curve) return;
  const [own, says, flat] = curve;
  byId("detail-curve-says").textContent = says;
  drawCurve(own, Array.from({ length: flat.length / 4 }, (_, place) => {
    const [number, ...shares] = flat.slice(place * 4, (place + 1) * 4);
    const [value, low, high] = shares.map((share) => share / 1000);
    return { number, value, low, high };
  }));
};
const showCosts = (row) => {
  const measured = profiles.filter((profile) => rows.costs[profile].duration_s[row] !== null);
  const facts = [fact("Kind", rows.words[rows.kind[row]]), fact("Tier", rows.is_declared[row] ? `${tier(row)}, declared; measured ${rows.words[rows.measured_tier[row]]}` : `${tier(row)}, by its cost`)];
  if (rows.pin[row] !== undefined) facts.push(fact("Pinned examples", rows.pin[row]));
  if (changes[row] !== null) facts.push(fact("Since the point before", ratio(changes[row])));
  for (const profile of measured) {
    const remark = rows.costs[profile].unpredictable[row];
    if (remark) facts.push(fact(`Not predictable, ${profile}`, remark));
  }
  byId("detail-facts").replaceChildren(...facts.flat());
  const heading = (text, scope, className = "") => attributes(element("th", { textContent: text, className }), { scope });
  byId("detail-columns").replaceChildren(element("tr", {}, [heading("Cost", "col"), ...measured.map((profile) => heading(profile, "col", "number"))]));
  const lines = [
    ["Time", "duration_s", seconds], ...PARTS.map(([part, title]) => [title, `${part}_s`, seconds]),
    ["CPU", "cpu_s", seconds], ["Examples", "n_examples", count], ["Asked for", "max_examples", count], ["Each", "seconds_per_example", seconds],
    ["Calls per valid example", "calls_per_valid", ratio], ["Predicted time", "predicted_s", seconds], ["Spread between runs", "spread", share],
  ];
  byId("detail-costs").replaceChildren(...lines.map(([title, key, write]) => element("tr", {}, [
    heading(title, "row"), ...measured.map((profile) => element("td", { className: "number", textContent: write(rows.costs[profile][key][row]) })),
  ])));
};
const showTest = (id) => {
  const row = rows.name.findIndex((_, place) => nodeid(place) === id);
  const reasons = data.excluded.filter(([excluded]) => excluded === id);
  const isKnown = row >= 0 || reasons.length > 0;
  shownTest = id;
  byId("detail-title").replaceChildren(...breakable(id));
  byId("detail-gone").hidden = isKnown;
  byId("detail-gone").textContent = "No test of this name is in this baseline. It may have been renamed or removed since the link was made.";
  byId("detail-command").hidden = !isKnown;
  byId("detail-pytest").textContent = command(id);
  byId("detail-copied").textContent = "";
  const file = id.split("::")[0];
  const source = element("a", { href: `${data.files}/${file.split("/").map(encodeURIComponent).join("/")}`, textContent: "The file at the measured commit" });
  byId("detail-links").replaceChildren(...(data.files && isKnown ? [source] : []));
  byId("detail-reasons").replaceChildren(...reasons.flatMap(([, profile, reason, example]) => [
    element("p", { className: "warning", textContent: `No figures under ${profile}: ${reason}` }),
    ...(example ? [element("pre", { textContent: example })] : []),
  ]));
  byId("detail-frame").hidden = row < 0;
  byId("detail-facts").replaceChildren();
  if (row >= 0) showCosts(row);
  showHistory(id);
  showCurve(row);
  if (!dialog.open) { opener = document.activeElement; dialog.showModal(); }
  dialog.scrollTop = 0;
};
byId("detail-copy").addEventListener("click", async () => {
  const code = byId("detail-pytest");
  try {
    await navigator.clipboard.writeText(code.textContent);
    byId("detail-copied").textContent = "copied";
  } catch {
    getSelection().selectAllChildren(code); // where the browser does not let a page write: ready for Ctrl+C
    byId("detail-copied").textContent = "selected: copy it with Ctrl+C";
  }
});
byId("detail-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => {
  shownTest = null;
  writeAddress();
  if (opener?.isConnected) opener.focus({ preventScroll: true });
});
