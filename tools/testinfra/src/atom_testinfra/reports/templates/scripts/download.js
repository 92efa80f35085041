// The rows that are shown, in their order, for a spreadsheet or a script.
const FIELDS = ["duration_s", ...PARTS.map(([part]) => `${part}_s`), "cpu_s", "n_examples", "max_examples", "seconds_per_example", "calls_per_valid"];
const record = (row) => ({
  test: nodeid(row), tier: tier(row), kind: rows.words[rows.kind[row]], profile: state.profile ?? null,
  ...Object.fromEntries(FIELDS.map((field) => [field, cost(field, row) ?? null])), change: changes[row],
});
// A spreadsheet runs a cell that begins like a formula: an apostrophe before it makes it text.
const csvCell = (value) => {
  if (value === null) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const asCsv = (records) => [Object.keys(record(0)), ...records.map(Object.values)].map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
const save = (name, type, text) => {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
};
byId("save-csv").addEventListener("click", () => save("tests.csv", "text/csv", asCsv(found.map(record))));
byId("save-json").addEventListener("click", () => save("tests.json", "application/json", `${JSON.stringify(found.map(record), null, 1)}\n`));
for (const id of ["save-csv", "save-json"]) byId(id).disabled = n === 0;
