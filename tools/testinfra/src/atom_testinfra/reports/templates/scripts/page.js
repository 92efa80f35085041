// Theme.
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a page from a file may not */ } };
const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const root = document.documentElement;
const themes = document.querySelectorAll('input[name="theme"]');
const applyTheme = (theme) => {
  root.dataset.theme = theme;
  for (const input of themes) input.checked = input.value === theme;
};
for (const input of themes) {
  input.addEventListener("change", () => { applyTheme(input.value); remember("testinfra-theme", input.value); });
}
const stored = recall("testinfra-theme");
if (["light", "dark"].includes(stored)) applyTheme(stored);

// How old the figures are at the time of reading.
for (const time of document.querySelectorAll("time[data-age]")) {
  const hours = (Date.now() - Date.parse(time.dateTime)) / 3.6e6;
  if (!(hours >= 0)) continue;
  const age = hours < 1 ? "within the last hour" : hours < 48 ? `${Math.floor(hours)} h ago` : `${Math.floor(hours / 24)} days ago`;
  time.append(`, ${age}`);
}

// The current section is the last one that has begun above a third of the window, or the first.
const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
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
// One call of `work` for each frame, however often it is asked for.
const inNextFrame = (work) => {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => { isAsked = false; work(); });
  };
};
const look = inNextFrame(showCurrent);
addEventListener("scroll", look, { passive: true });
addEventListener("resize", look);
showCurrent();
