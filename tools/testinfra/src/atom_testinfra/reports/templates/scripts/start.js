// The address holds what differs from the page as it opens: `#q=chat&tier=slow&sort=-body_s&test=...`.
const writeAddress = () => {
  const told = {
    q: search.value.trim(),
    tier: state.tiers === null ? "" : [...state.tiers].join(",") || "none",
    profile: state.profile === firstProfile ? "" : state.profile,
    sort: state.key === "duration_s" && state.isDescending ? "" : `${state.isDescending ? "-" : ""}${state.key}`,
    by: state.isByFolder ? "folder" : "",
    test: shownTest ?? "",
  };
  const written = Object.entries(told).filter(([, value]) => value).map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  const isAnchor = location.hash.length > 1 && !location.hash.includes("=");
  if (written || !isAnchor) history.replaceState(null, "", written ? `#${written}` : location.pathname + location.search);
};
const readAddress = () => {
  const told = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1).replaceAll("+", "%2B") : "");
  const hasFilters = ["q", "tier", "profile", "sort", "by"].some((key) => told.has(key));
  if (hasFilters) {
    const tiers = told.get("tier");
    const sort = told.get("sort") ?? "-duration_s";
    search.value = told.get("q") ?? "";
    for (const box of boxes) box.checked = tiers === null || tiers.split(",").includes(box.value);
    byId("profile").value = profiles.includes(told.get("profile")) ? told.get("profile") : firstProfile ?? "";
    byId("by-folder").checked = told.get("by") === "folder";
    state.isDescending = sort.startsWith("-");
    state.key = columnOf(sort.replace(/^-/, ""))?.key ?? "duration_s";
  }
  shownTest = told.get("test");
  readFilters();
  if (told.has("test")) showTest(told.get("test"));
  else if (dialog.open) dialog.close();
  else if (hasFilters) byId("tests").scrollIntoView();
};
addEventListener("hashchange", readAddress);
readAddress();
root.dataset.ready = "true";
