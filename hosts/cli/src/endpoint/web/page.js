"use strict";
const EXAMPLES = ['eid:johnD AND short-doc:"Change in usage pattern"', 'short-doc:"Change in usage pattern"',
  "category:incident AND confidence:high", "rule:exec*", "logRecord.body.eid:johnD", "coralogix.metadata.severity:6", "_exists_:kaudit_filter.summary"];
const COUNTS = [["requests", "requests"], ["accepted", "accepted entries"], ["rejected", "rejected entries"],
  ["refused", "rejected requests"], ["faults", "injected faults"]];
const SEVERITIES = ["", "debug", "verbose", "info", "warning", "error", "critical"];
const STATES = {raised: "raised", quiet: "not raised", "not-evaluated": "not evaluated"};
const byId = id => document.getElementById(id);

/** The conditions of the search, which are also in the address. */
const state = {query: "", verdict: "all", filters: []};

/** Returns an element with a class and a text; received text is never parsed as HTML. */
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(className, text, onclick) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", onclick);
  return made;
}

/** Returns a time as `03-17 12:00:00Z`. */
function time(milliseconds) {
  const date = new Date(milliseconds);
  return isNaN(date) ? "no time" : `${date.toISOString().slice(5, 19).replace("T", " ")}Z`;
}

function card({number, received, form, verdict, reasons, entry}) {
  const rejected = verdict === "rejected";
  const made = element("details", rejected ? "refused" : "");
  made.dataset.number = number;
  const head = made.appendChild(element("summary"));
  const severity = SEVERITIES[entry.severity] ?? String(entry.severity ?? "none");
  const at = time(entry.timestamp ?? (Number(entry.hiResTimestamp ?? NaN) / 1e6 || received));
  const names = [entry.applicationName, entry.subsystemName].filter(Boolean).join(" / ");
  // The labels of an OTLP log are its attributes.
  const labels = entry.logRecord?.attributes ?? entry;
  for (const [className, text] of [["time", at], [`severity ${severity}`, severity], ["", names],
    ["", labels.methodName ?? labels.category ?? ""], ["", labels.threadId ?? ""], ["form", form]])
    head.appendChild(element("span", className, text)).title = text;
  if (rejected) head.append(element("span", "reasons",
    `Coralogix would drop or alter this entry and answer 200: ${reasons.join("; ")}`));
  let shown = entry;
  if (typeof entry.text === "string")
    try { shown = {...entry, text: JSON.parse(entry.text)}; } catch { /* a text that is not JSON is displayed unchanged */ }
  made.append(element("pre", "", JSON.stringify(shown, null, 2)));
  return made;
}

function showCounts(counts) {
  byId("counts").replaceChildren(...COUNTS.map(([key, label]) => {
    const box = element("div");
    box.append(element("dt", "", label), element("dd", counts[key] ? key : "", counts[key].toLocaleString("en")));
    return box;
  }));
}

function showAlerts(alerts) {
  byId("alerts").replaceChildren(...alerts.map(alert => {
    const made = button(`alert ${alert.state}`, undefined, () => search({query: alert.query, filters: alert.filters, verdict: "accepted"}));
    made.title = `${alert.description} Click to search for its entries.`;
    made.append(element("span", "state", STATES[alert.state]), element("b", "", `${alert.name} (${alert.priority}${alert.protocol === "OTLP" ? ", OTLP" : ""})`),
      element("small", "", [alert.raised !== null && `last at ${time(alert.raised)}`, alert.detail].filter(Boolean).join(": ")));
    return made;
  }));
}

function showFacets(facets) {
  byId("facets").replaceChildren(...facets.filter(({values}) => values.length).map(({name, values, more}) => {
    const made = element("div", "facet");
    made.append(element("h3", "", name));
    for (const {value, count} of values) {
      const filter = `${name}:${value}`;
      const pressed = state.filters.includes(filter);
      const filters = pressed ? state.filters.filter(one => one !== filter) : [...state.filters, filter];
      const line = made.appendChild(button("", undefined, () => search({...state, filters})));
      line.append(element("span", "", value || "(empty)"), element("b", "", count.toLocaleString("en")));
      line.title = value;
      line.ariaPressed = String(pressed);
      line.dataset.filter = filter;
    }
    if (more) made.append(element("small", "", `and ${more} more`));
    return made;
  }));
}

function showFilters() {
  byId("filters").replaceChildren(...state.filters.map(filter => {
    const made = button("", `${filter} ×`, () => search({...state, filters: state.filters.filter(one => one !== filter)}));
    made.ariaLabel = `Remove the filter ${filter}`;
    return made;
  }));
}

/** Returns a sentence about the result. */
function summary({found, rejected, kept, entries}) {
  if (!kept) return "No entries received yet";
  if (!state.query && !state.filters.length && state.verdict === "all")
    return `${entries.length} of ${kept} stored entries, the latest first`;
  const others = !rejected ? "" : state.verdict === "all" ? `, ${rejected} of them rejected`
    : state.verdict === "accepted" ? `, and ${rejected} rejected` : "";
  return `${found} of ${kept} stored entries match${others}`;
}

function show(found) {
  byId("note").className = "";
  byId("note").textContent = summary(found);
  byId("hints").replaceChildren(...found.hints.map(hint => element("li", "", hint)));
  showFacets(found.facets);
  const open = new Set([...document.querySelectorAll("#entries details[open]")].map(it => it.dataset.number));
  byId("entries").replaceChildren(...found.entries.map(card));
  for (const it of byId("entries").children) it.open = open.has(it.dataset.number);
}

function mistake(text) {
  byId("note").className = "mistake";
  byId("note").textContent = text;
}

/** Returns the conditions as parameters of a request. */
function parameters() {
  const made = new URLSearchParams({verdict: state.verdict});
  if (state.query) made.set("query", state.query);
  for (const filter of state.filters) made.append("filter", filter);
  return made;
}

let last = "";
async function refresh() {
  try {
    const counts = await (await fetch("counts")).json();
    const now = JSON.stringify([state, counts]);
    if (now === last) return;
    const [answer, alerts] = await Promise.all([fetch(`entries?${parameters()}`), fetch("alerts")]);
    const found = await answer.json();
    last = now;
    showCounts(counts);
    showAlerts(await alerts.json());
    showFilters();
    if (answer.ok) show(found);
    else mistake(found.reasons.join("; "));
  } catch {
    last = "";
    mistake("no response from the endpoint");
  }
}

function search(conditions) {
  Object.assign(state, conditions);
  byId("query").value = state.query;
  byId("verdict").value = state.verdict;
  const isDefault = !state.query && !state.filters.length && state.verdict === "all";
  history.replaceState(null, "", isDefault ? "/" : `?${parameters()}`);
  return refresh();
}

for (const example of EXAMPLES)
  byId("examples").append(button("", example, () => search({query: example, filters: [], verdict: "all"})));
byId("form").addEventListener("submit", event => {
  event.preventDefault();
  search({query: byId("query").value.trim(), verdict: byId("verdict").value});
});
byId("verdict").addEventListener("change", () => byId("form").requestSubmit());
// On a narrow window the counts by field are closed at first.
byId("facets-box").open = !matchMedia("(max-width: 60rem)").matches;
const given = new URLSearchParams(location.search);
/** For tests of the page: resolves after the first answer. */
window.page = {ready: search({query: given.get("query") ?? "", verdict: given.get("verdict") ?? "all", filters: given.getAll("filter")})};
setInterval(refresh, 2000);
