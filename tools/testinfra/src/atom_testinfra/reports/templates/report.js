"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.rows;
  const n = rows.name.length;
  const byId = (id) => document.getElementById(id);
  const element = (tag, properties = {}, children = []) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const attributes = (node, values) => {
    for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
    return node;
  };
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a page from a file may not */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

  // Figures, written as the rest of the report writes them: three digits and a unit.
  const digits = (value) => {
    const rounded = Number(value.toPrecision(3));
    if (rounded === 0) return "0";
    const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
    return rounded.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  };
  const seconds = (value) => {
    if (value === null || value === undefined) return "\u2013";
    if (value === 0) return "0 s";
    const rounded = Number(value.toPrecision(3));
    if (rounded < 1e-3) return `${digits(value * 1e6)} \u00b5s`;
    if (rounded < 1) return `${digits(value * 1e3)} ms`;
    return `${digits(value)} s`;
  };
  const count = (value) => (value === null || value === undefined ? "\u2013" : value.toLocaleString("en"));
  const ratio = (value) => (value === null || value === undefined ? "\u2013" : `${digits(value)}x`);
  const share = (value) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "\u2013";
    if (value > 0 && value < 0.01) return "< 1 %";
    if (value > 0.99 && value < 1) return "> 99 %";
    return `${(value * 100).toFixed(0)} %`;
  };

  const PARTS = [["setup", "Set-up"], ["generate", "Generating"], ["body", "Body"], ["engine", "Engine"], ["filtered", "Given up"], ["other", "Other"]];
  const profiles = Object.keys(rows.costs);
  const nodeid = (row) => rows.files[rows.file[row]] + rows.name[row];
  const tier = (row) => rows.words[rows.tier[row]];

  // Theme.
  const root = document.documentElement;
  const applyTheme = (theme) => {
    root.dataset.theme = theme;
    for (const input of document.querySelectorAll('input[name="theme"]')) input.checked = input.value === theme;
    redraw();
  };
  const drawn = new Set();
  const resolve = (value, style) => {
    if (typeof value === "string") return value.startsWith("var:") ? style.getPropertyValue(value.slice(4)).trim() : value;
    if (Array.isArray(value)) return value.map((item) => resolve(item, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, style)]));
  };
  const draw = (node) => {
    const style = getComputedStyle(root);
    const figure = resolve(data.figures[node.dataset.figure], style);
    const ink = style.getPropertyValue("--ink").trim();
    const line = style.getPropertyValue("--line").trim();
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, fixedrange: true };
    const narrow = node.clientWidth < 560;
    const titled = (axis) => (axis.title ? { ...axis, title: { standoff: 8, ...axis.title, font: { size: 12.5 } } } : axis);
    const layout = {
      ...figure.layout,
      font: { family: style.getPropertyValue("--sans").trim(), size: 12.5, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: narrow ? 40 : 56, r: 12, t: 44, b: 48, ...figure.layout.margin },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", font: { size: 12 } },
      hoverlabel: { align: "left", bgcolor: style.getPropertyValue("--surface").trim(), bordercolor: line, font: { color: ink } },
      xaxis: titled({ ...axis, ...figure.layout.xaxis }), yaxis: titled({ ...axis, ...figure.layout.yaxis }),
    };
    if (narrow && node.dataset.figure === "slowest") layout.yaxis = { ...layout.yaxis, showticklabels: false };
    drawn.add(node);
    return window.Plotly.react(node, figure.data, layout, { responsive: true, displayModeBar: false, displaylogo: false });
  };
  const redraw = () => { for (const node of drawn) draw(node); };
  for (const input of document.querySelectorAll('input[name="theme"]')) {
    input.addEventListener("change", () => { applyTheme(input.value); remember("testinfra-theme", input.value); });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const stored = recall("testinfra-theme");
  if (["light", "dark"].includes(stored)) applyTheme(stored);

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { watcher.unobserve(entry.target); draw(entry.target); }
    }
  }, { rootMargin: "400px" });
  for (const node of document.querySelectorAll("[data-figure]")) watcher.observe(node);

  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  // The current section is the last one that has begun above a third of the window, or the first.
  const sections = [...document.querySelectorAll("main > section")];
  const showCurrent = () => {
    const begun = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
    const link = links.get((begun.at(-1) ?? sections[0]).id);
    if (!link || link.hasAttribute("aria-current")) return;
    for (const other of links.values()) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    const list = link.closest("ol");
    list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
  };
  let looking = false;
  const look = () => {
    if (looking) return;
    looking = true;
    requestAnimationFrame(() => { looking = false; showCurrent(); });
  };
  addEventListener("scroll", look, { passive: true });
  addEventListener("resize", look);
  showCurrent();

  // The table of all tests: of any number of rows only those in sight exist.
  const COLUMNS = [
    { key: "name", title: "Test", className: "col-test" },
    { key: "tier", title: "Tier", className: "extra", text: (row) => tier(row) },
    { key: "duration_s", title: "Time", number: true, text: (row) => seconds(cost("duration_s", row)) },
    { key: "split", title: "Split", className: "col-split", fixed: true },
    { key: "n_examples", title: "Examples", number: true, className: "extra", text: (row) => count(cost("n_examples", row)) },
    { key: "seconds_per_example", title: "Each", number: true, className: "extra", text: (row) => seconds(cost("seconds_per_example", row)) },
    { key: "generate_s", title: "Generating", number: true, className: "extra", text: (row) => seconds(cost("generate_s", row)) },
    { key: "body_s", title: "Body", number: true, className: "extra", text: (row) => seconds(cost("body_s", row)) },
    { key: "engine_s", title: "Engine", number: true, className: "extra", text: (row) => seconds(cost("engine_s", row)) },
    { key: "filtered_s", title: "Given up", number: true, className: "extra", text: (row) => seconds(cost("filtered_s", row)) },
  ];
  const state = { profile: profiles.includes("local") ? "local" : profiles[0], words: [], tiers: null, key: "duration_s", descending: true };
  const cost = (name, row) => (state.profile === undefined ? null : rows.costs[state.profile][name][row]);
  const viewport = byId("viewport");
  const body = byId("tests-rows");
  const head = byId("tests-columns");
  let haystack = null;
  let order = [];
  let first = -1;
  const rowHeight = () => parseFloat(getComputedStyle(root).getPropertyValue("--row")) * parseFloat(getComputedStyle(root).fontSize);

  const headings = COLUMNS.map((column) => {
    const th = attributes(element("th", { className: `${column.className ?? ""} ${column.number ? "number" : ""}`.trim() }), { scope: "col" });
    if (column.fixed) { th.append(element("span", { className: "static", textContent: column.title })); return th; }
    const button = element("button", { type: "button", textContent: column.title });
    button.addEventListener("click", () => {
      state.descending = state.key === column.key ? !state.descending : Boolean(column.number);
      state.key = column.key;
      refresh();
    });
    th.append(button);
    return th;
  });
  head.append(...headings);

  const showOrder = () => {
    COLUMNS.forEach((column, index) => {
      const th = headings[index];
      if (column.fixed) return;
      const active = column.key === state.key;
      th.firstChild.textContent = active ? `${column.title} ${state.descending ? "\u2193" : "\u2191"}` : column.title;
      if (active) th.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
  };

  const matches = (row) =>
    (state.tiers === null || state.tiers.has(tier(row))) &&
    state.words.every((word) => haystack[row].includes(word));

  const refresh = () => {
    haystack ??= Array.from({ length: n }, (_, row) => nodeid(row).toLowerCase());
    const found = [];
    for (let row = 0; row < n; row += 1) if (matches(row)) found.push(row);
    const direction = state.descending ? -1 : 1;
    const values = state.key === "name" ? null : state.key === "tier" ? rows.tier.map((word) => rows.words[word]) : (rows.costs[state.profile] ?? {})[state.key];
    const compareNames = (a, b) => (haystack[a] < haystack[b] ? -1 : haystack[a] > haystack[b] ? 1 : 0);
    found.sort((a, b) => {
      if (!values) return direction * compareNames(a, b);
      const [x, y] = [values[a], values[b]];
      if (x === y) return compareNames(a, b);
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return x < y ? -direction : direction;
    });
    order = found;
    byId("shown").textContent = order.length === n ? `${count(n)} tests` : `${count(order.length)} of ${count(n)} tests`;
    byId("table-tests").setAttribute("aria-rowcount", String(order.length + 1));
    viewport.scrollTop = 0;
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
  const renderRow = (row, position) => {
    const name = rows.name[row].replace(/^::/, "");
    const link = element("a", { className: "nodeid", href: `#test=${encodeURIComponent(nodeid(row))}`, title: nodeid(row) }, [
      element("span", { className: "name", textContent: name }), " ",
      element("span", { className: "path" }, [element("bdi", { textContent: rows.files[rows.file[row]] })]),
    ]);
    const cells = COLUMNS.map((column) => {
      if (column.key === "name") return attributes(element("th", {}, [link]), { scope: "row" });
      const td = element("td", { className: `${column.className ?? ""} ${column.number ? "number" : ""}`.trim() });
      td.append(column.key === "split" ? split(row) : column.text(row));
      return td;
    });
    return attributes(element("tr", {}, cells), { "aria-rowindex": String(position + 2) });
  };
  const space = (height) => {
    const filler = attributes(element("tr", { className: "space" }, [element("td")]), { "aria-hidden": "true" });
    filler.firstChild.style.blockSize = `${height}px`;
    return filler;
  };
  const renderRows = () => {
    const height = rowHeight();
    const extra = 12;
    const inSight = Math.ceil(viewport.clientHeight / height) + 2 * extra;
    const start = Math.max(0, Math.min(Math.floor(viewport.scrollTop / height) - extra, order.length - inSight));
    if (start === first) return;
    first = start;
    const stop = Math.min(order.length, start + inSight);
    const focused = document.activeElement?.closest?.("#tests-rows tr")?.getAttribute("aria-rowindex");
    const fresh = [];
    for (let position = start; position < stop; position += 1) fresh.push(renderRow(order[position], position));
    byId("nothing").hidden = order.length > 0;
    body.replaceChildren(space(start * height), ...fresh, space((order.length - stop) * height));
    if (focused) body.querySelector(`tr[aria-rowindex="${focused}"] a`)?.focus({ preventScroll: true });
  };
  let scheduled = false;
  const schedule = (work) => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => { scheduled = false; work(); });
  };
  viewport.addEventListener("scroll", () => schedule(renderRows), { passive: true });
  addEventListener("resize", () => { first = -1; schedule(renderRows); });

  const focusRow = (position) => {
    const target = Math.max(0, Math.min(order.length - 1, position));
    const height = rowHeight();
    const headHeight = head.offsetHeight;
    const top = target * height;
    if (top < viewport.scrollTop) viewport.scrollTop = top;
    else if (top + height + headHeight > viewport.scrollTop + viewport.clientHeight) viewport.scrollTop = top + height + headHeight - viewport.clientHeight;
    renderRows();
    body.querySelector(`tr[aria-rowindex="${target + 2}"] a`)?.focus({ preventScroll: true });
  };
  viewport.addEventListener("keydown", (event) => {
    const here = document.activeElement?.closest?.("#tests-rows tr")?.getAttribute("aria-rowindex");
    const position = here ? Number(here) - 2 : -1;
    const page = Math.floor(viewport.clientHeight / rowHeight()) - 2;
    const moves = { ArrowDown: position + 1, ArrowUp: position - 1, PageDown: position + page, PageUp: position - page, Home: 0, End: order.length - 1 };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("thead")) return;
    event.preventDefault();
    focusRow(moves[event.key]);
  });

  // Filters.
  const search = byId("search");
  const tierNames = ["fast", "medium", "slow", "over"].filter((name) => rows.words.includes(name) && rows.tier.some((word) => rows.words[word] === name));
  for (const name of tierNames) {
    byId("tiers").append(element("label", {}, [element("input", { type: "checkbox", name: "tier", value: name, checked: true, defaultChecked: true }), name]));
  }
  for (const name of profiles) byId("profile").append(element("option", { value: name, textContent: name, selected: name === state.profile, defaultSelected: name === state.profile }));
  const readFilters = () => {
    state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    state.profile = byId("profile").value || undefined;
    const boxes = [...document.querySelectorAll('input[name="tier"]')];
    state.tiers = boxes.every((box) => box.checked) ? null : new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    refresh();
  };
  const form = document.querySelector(".filters");
  form.addEventListener("input", () => schedule(readFilters));
  form.addEventListener("reset", () => setTimeout(readFilters));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
    search.scrollIntoView({ block: "center" });
  });

  // One test, by its link.
  const dialog = byId("detail");
  let opener = null;
  const fact = (term, text) => [element("dt", { textContent: term }), element("dd", { textContent: text })];
  const showTest = (row) => {
    byId("detail-title").textContent = nodeid(row);
    const facts = [fact("Kind", rows.words[rows.kind[row]]), fact("Tier", rows.is_declared[row] ? `${tier(row)}, declared; measured ${rows.words[rows.measured_tier[row]]}` : `${tier(row)}, by its cost`)];
    if (rows.pin[row] !== undefined) facts.push(fact("Pinned examples", rows.pin[row]));
    const measured = profiles.filter((profile) => rows.costs[profile].duration_s[row] !== null);
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
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
  const openFromLink = () => {
    if (!location.hash.startsWith("#test=")) { if (dialog.open) dialog.close(); return; }
    let wanted;
    try { wanted = decodeURIComponent(location.hash.slice(6)); } catch { return; }
    for (let row = 0; row < n; row += 1) {
      if (nodeid(row) === wanted) { opener = document.activeElement; showTest(row); return; }
    }
  };
  byId("detail-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    if (location.hash.startsWith("#test=")) history.replaceState(null, "", location.pathname + location.search);
    if (opener?.isConnected) opener.focus({ preventScroll: true });
  });
  addEventListener("hashchange", openFromLink);

  refresh();
  openFromLink();
  root.dataset.ready = "true";
})();
