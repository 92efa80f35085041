// The rows by folder: each folder has a row with the sums of its tests, and folds.
const unfolded = new Set();
const folderOf = (row) => rows.files[rows.file[row]].replace(/[^/]*$/, "") || "./";
const isOpen = (folder) => state.words.length > 0 || unfolded.has(folder.name);
const sum = (column, tests) => tests.reduce((total, row) => total + (column.value(row) ?? 0), 0);
const withFolders = (tests) => {
  const folders = new Map();
  for (const row of tests) {
    const name = folderOf(row);
    if (!folders.has(name)) folders.set(name, { name, tests: [] });
    folders.get(name).tests.push(row);
  }
  const sorted = [...folders.values()];
  const column = columnOf(state.key);
  const value = (folder) => (column.isSum ? sum(column, folder.tests) : folder.name);
  sorted.sort((a, b) => compareValues(value(a), value(b), () => compareTexts(a.name, b.name)));
  return sorted.flatMap((folder) => [folder, ...(isOpen(folder) || isPrinting ? folder.tests : [])]);
};
const renderFolder = (folder) => {
  const open = isOpen(folder);
  const button = attributes(element("button", { type: "button", title: folder.name, textContent: `${open ? "\u25be" : "\u25b8"} ${folder.name} (${count(folder.tests.length)})` }), { "aria-expanded": String(open) });
  button.addEventListener("click", () => {
    if (unfolded.has(folder.name)) unfolded.delete(folder.name);
    else unfolded.add(folder.name);
    const { scrollTop } = viewport;
    arrange();
    viewport.scrollTop = scrollTop;
  });
  const tr = element("tr", { className: "folder" }, renderCells(button, (column) => (column.isSum ? column.write(sum(column, folder.tests)) : "")));
  return tr;
};
