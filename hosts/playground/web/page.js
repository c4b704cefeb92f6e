const {check, records, parse_time, masked, Trial} = wasm_bindgen;
const EXAMPLES = JSON.parse(document.getElementById("examples").textContent);
const SEVERITIES = ["", "debug", "verbose", "info", "warn", "error", "critical"];
/** The number of verdicts that are listed at once; all are counted. */
const LISTED = 300;
/** The pause in typing before the page is updated, and before a screen reader announces the result, milliseconds. */
const PAUSE = 120, ANNOUNCE_PAUSE = 900;
/** The time after which a run yields to the page's other events, milliseconds. */
const MAX_BLOCKING = 40;

const byId = id => document.getElementById(id);
const config = new Editor(byId("config"), YAML, () => later(run));
const findings = new Editor(byId("findings"), JSON_TEXT, () => later(run));
/** The result of the last run, and the shown part of it: a verdict, or a verdict and its reason. */
let result = {rows: [], account: undefined}, wanted = "", listed = LISTED;

let timer;
function later(what) {
  clearTimeout(timer);
  timer = setTimeout(what, PAUSE);
}

/** Returns a text whose parts between backticks are code elements. */
function words(text) {
  return text.split("`").map((part, index) => index % 2 ? element("code", "", part) : part);
}

// Records through a filter.

/**
 * Filters records, each `{text, at}`, with a new filter. Returns a row for each verdict and for each entry of the
 * filter's own, and the counters. A record without `at` arrives at its finding's time, otherwise together with the
 * previous record. The page stays responsive meanwhile; returns undefined once `wanted` returns false.
 */
async function filter(configuration, list, wanted = () => true) {
  const trial = new Trial(configuration);
  try {
    const rows = [];
    const add = entries => { for (const entry of entries) rows.push({verdict: "own", ...entry}); };
    let rest = performance.now() + MAX_BLOCKING;
    let last = Date.now();
    for (const record of list) {
      if (performance.now() > rest) {
        await new Promise(done => setTimeout(done));
        if (!wanted()) return undefined;
        rest = performance.now() + MAX_BLOCKING;
      }
      last = record.at ?? trial.time(record.text) ?? last;
      const {verdicts, own} = JSON.parse(trial.take(record.text, last));
      verdicts.forEach((verdict, item) => rows.push({...record, ...verdict, item, items: verdicts.length}));
      add(own);
    }
    add(JSON.parse(trial.finish(last)));
    return {rows, account: JSON.parse(trial.account())};
  } finally {
    trial.free();
  }
}

/** Returns the pasted records with their times of arrival, unless they arrive at the findings' own times. */
function pasted() {
  const [arrival, fixed] = [byId("arrival").value, parse_time(byId("at").value)];
  const at = arrival === "record" ? undefined : arrival === "at" && fixed !== undefined ? fixed : Date.now();
  return JSON.parse(records(findings.text)).map(([line, text]) => ({line, text, at}));
}

let runs = 0;
async function run() {
  const mine = ++runs;
  const report = JSON.parse(check(config.text));
  showRemarks(report);
  if (report.errors === 0) {
    try {
      const ran = await filter(config.text, pasted(), () => mine === runs);
      if (!ran) return;
      result = ran;
    } catch (mistakes) {
      // `check` accepts several configurations in a file, but a filter has one.
      report.errors = 1;
      report.remarks.unshift({level: "error", line: 1, column: 1, width: 1, code: "", path: "", message: String(mistakes), help: ""});
      showRemarks(report);
    }
  }
  showVerdicts(report.errors > 0);
  speak(`${byId("remarks-sum").textContent}. ${report.errors ? "" : byId("sum").textContent}`);
}

let hush;
function speak(text) {
  clearTimeout(hush);
  hush = setTimeout(() => { byId("spoken").textContent = text; }, ANNOUNCE_PAUSE);
}

// Remarks about the configuration.

const RANKS = ["error", "warning", "advice"];

function showRemarks(report) {
  const {remarks, explained} = report;
  const worst = RANKS.find(level => remarks.some(remark => remark.level === level)) ?? "";
  const counts = [[report.errors, "error"], [report.warnings, "warning"]]
    .filter(([count]) => count).map(([count, word]) => `${count} ${word}${count > 1 ? "s" : ""}`);
  if (report.advice) counts.push(`${report.advice} ${report.advice > 1 ? "pieces" : "piece"} of advice`);
  byId("remarks-sum").textContent = counts.join(", ") || "No problems found";
  byId("remarks-sum").className = worst;
  config.area.ariaInvalid = String(report.errors > 0);
  config.mark(remarks);
  const rank = remark => RANKS.indexOf(remark.level);
  config.tint(new Map([...remarks].sort((a, b) => rank(b) - rank(a)).map(({line, level}) => [line, level])));
  const open = new Set([...document.querySelectorAll("#remarks details[open]")].map(it => it.dataset.code));
  const lines = config.text.split("\n");
  byId("remarks").replaceChildren(...[...remarks].sort((a, b) => rank(a) - rank(b))
    .map(remark => remarkItem(remark, lines[remark.line - 1] ?? "", explained?.[remark.code], open)));
}

function remarkItem({level, line, column, width, code, path, message, help}, text, explanation, open) {
  const where = element("button", "where", `${line}:${column}`);
  where.type = "button";
  where.ariaLabel = `Go to line ${line}, column ${column}`;
  where.addEventListener("click", () => config.reveal(line, column));
  const head = element("p", "line", where, element("span", "level", level, " ", code), element("span", "path", path));
  const item = element("li", level, head, element("p", "message", ...words(message)));
  const indent = text.length - text.trimStart().length;
  const shown = Array.from(text.trim());
  const snippet = element("pre", "snippet", shown.join(""), "\n",
    element("span", "caret", " ".repeat(Math.max(0, column - 1 - indent)) + "^".repeat(Math.max(1, width))));
  snippet.ariaHidden = "true";
  if (shown.length) item.append(snippet);
  if (help) item.append(element("p", "help", ...words(help)));
  if (explanation) {
    const more = element("details", "", element("summary", "", `More about ${code}`), element("div", "more", ...paragraphs(explanation)));
    more.dataset.code = code;
    more.open = open.has(code);
    item.append(more);
  }
  return item;
}

/** Returns the paragraphs of a text; indented ones are preformatted. */
function paragraphs(text) {
  return text.split("\n\n").map(part => part.startsWith("    ")
    ? element("pre", "", part.replaceAll(/^ {4}/gm, ""))
    : element("p", "", ...words(part)));
}

// The counters and the verdicts.

function showVerdicts(stale) {
  const {rows, account} = result;
  byId("verdicts").classList.toggle("stale", stale);
  byId("account").classList.toggle("stale", stale);
  if (account) showAccount(account, rows);
  findings.tint(new Map(rows.filter(row => row.line).map(row => [row.line, kind(row)])));
  const keys = row => [kind(row), `${kind(row)} ${row.reason ?? ""}`];
  if (wanted && !rows.some(row => keys(row).includes(wanted))) wanted = "";
  const shown = rows.filter(row => !wanted || keys(row).includes(wanted));
  byId("shown").textContent = stale ? "of the configuration before its errors"
    : wanted ? `${shown.length} of ${rows.length}` : "";
  const list = byId("list");
  const open = new Set([...list.querySelectorAll("li > details[open]")].map(it => it.parentElement.dataset.key));
  list.replaceChildren(...shown.slice(0, listed).map(verdictItem));
  // Open details stay open while the user types.
  for (const item of list.children) item.firstChild.open = open.has(item.dataset.key);
  if (shown.length > listed) {
    const more = element("button", "", `${shown.length - listed} more`);
    more.type = "button";
    more.addEventListener("click", () => { listed += LISTED; showVerdicts(stale); });
    list.append(element("li", "empty", more));
  }
  if (!rows.length) list.append(element("li", "empty", "Paste findings, or add some examples, and read their verdicts here."));
  follow();
}

/** Returns the verdict of a row; records that are kept although they are no findings differ from kept findings. */
function kind(row) {
  return row.unrecognised ? "unrecognised" : row.verdict;
}

function showAccount(account, rows) {
  const {unrecognised, total} = account.kept;
  byId("warning").textContent = account.warning?.replaceAll("`", "") ?? "";
  byId("warning").hidden = !account.warning;
  const parts = [["kept", account.kept.total], ["dropped", account.dropped.total], ["suppressed", account.suppressed], ["passed", account.passed]];
  const sum = [element("b", "", String(account.records)), account.records === 1 ? " record" : " records"];
  if (account.batches) {
    sum.push(" + ", element("b", "", String(account["batch-items"])), " batch items");
    parts.push([account.batches === 1 ? "batch" : "batches", account.batches]);
  }
  if (unrecognised) parts[0].push(` (${unrecognised} unrecognised)`);
  parts.forEach(([name, count, more = ""], index) => sum.push(element("span", "", index ? " + " : " = "), element("b", name, `${count} ${name}`), more));
  byId("sum").replaceChildren(...sum);
  const reasons = Object.entries(account.dropped).filter(([reason, count]) => reason !== "total" && count > 0);
  const segments = [["kept", total - unrecognised], ["unrecognised", unrecognised], ...reasons.map(([, count]) => ["dropped", count]),
    ["suppressed", account.suppressed], ["passed", account.passed]];
  byId("bar").replaceChildren(...segments.filter(([, count]) => count).map(([name, count]) => {
    const segment = element("i", name);
    segment.style.flexGrow = count;
    return segment;
  }));
  const own = rows.filter(row => row.verdict === "own").length;
  const helps = new Map(rows.map(row => [row.reason, row.help]));
  const chips = [["kept", "kept", total - unrecognised, ""],
    ["unrecognised", "unrecognised", unrecognised, "not findings, sent as entries without a filter"],
    ...reasons.map(([reason, count]) => ["dropped", `dropped ${reason}`, count, helps.get(reason) ?? ""]),
    ["suppressed", "suppressed", account.suppressed, "exceeded a rate limit"],
    ["passed", "passed", account.passed, "not findings, unchanged"],
    ["own", "own", own, "summaries of suppressed findings, and count reports"]];
  const names = {own: "the filter's own"};
  const focused = document.activeElement?.dataset?.key;
  byId("legend").replaceChildren(...chips.filter(([, , count]) => count).map(([name, key, count, help]) => {
    const chip = element("button", name, element("span", "", names[key] ?? key.replace(/^dropped /, "")), element("b", "", String(count)));
    chip.type = "button";
    chip.title = help.replaceAll("`", "");
    chip.dataset.key = key;
    chip.ariaPressed = String(wanted === key);
    chip.ariaLabel = `${name === "dropped" ? "dropped, " : ""}${chip.textContent}: show only these`;
    chip.addEventListener("click", () => {
      [wanted, listed] = [wanted === key ? "" : key, LISTED];
      showVerdicts(byId("verdicts").classList.contains("stale"));
    });
    return element("li", "", chip);
  }));
  if (focused) document.querySelector(`#legend [data-key="${focused}"]`)?.focus();
  const entries = `${account.entries} ${account.entries === 1 ? "entry emitted" : "entries emitted"}`;
  const changed = ["clamped", "truncated", "redacted"].filter(name => account[name]).map(name => `${account[name]} ${name}`);
  byId("legend").append(element("li", "text", [entries, ...changed].join(" · ")));
}

function verdictItem(row) {
  const entry = row.entry && JSON.parse(row.entry);
  const severity = SEVERITIES[entry?.severity] ?? "";
  const [title, sub] = row.verdict === "own" ? ofItsOwn(entry) : ofRecord(row);
  const summary = element("summary", "",
    element("span", `badge ${kind(row)}`, row.verdict === "own" ? "added" : kind(row)),
    element("span", "title", title),
    element("span", `side ${severity === "error" ? "severe" : severity}`, severity),
    element("span", "sub", ...sub));
  const details = element("details", "", summary);
  // The contents are created when they are opened.
  details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) details.append(body(row)); });
  const item = element("li", "", details);
  item.dataset.key = row.line ? `${row.line}.${row.item}` : row.entry;
  if (row.line) item.dataset.line = row.line;
  return item;
}

/** Returns the title and the second line of a record's row. */
function ofRecord(row) {
  const {eid, principal, username, cluster} = row.fields;
  const title = row.fields["short-doc"] ?? row.fields.rule ?? row.fields.verb ?? request(row) ?? row.text.slice(0, 200);
  const item = row.items > 1 && `item ${row.item + 1} of ${row.items}`;
  const rule = row.fields.rule && row.rules?.find(({name}) => name === row.fields.rule);
  const who = [rule && `rule ${rule.id}`, eid ?? principal ?? username, cluster, `line ${row.line}`, item].filter(Boolean).join(" · ");
  return [title, row.reason ? [element("b", "", row.reason), " · ", who] : [who]];
}

/** Returns the request of an audit event that becomes no finding: its verb and its resource. */
function request(row) {
  if (!row.rules) return undefined;
  try {
    const {verb, objectRef, requestURI} = JSON.parse(row.text);
    const {resource, subresource, namespace, name} = objectRef ?? {};
    const path = [namespace, [resource, subresource].filter(Boolean).join("/"), name].filter(Boolean).join(" ");
    return verb && `${verb} ${path || requestURI}`;
  } catch {
    return undefined;
  }
}

/** Returns the title and the second line for an entry of the filter's own. */
function ofItsOwn(entry) {
  const text = typeof entry.text === "string" ? JSON.parse(entry.text) : entry.text;
  const {summary, integration} = text.kaudit_filter;
  return summary
    ? [`${summary.suppressed} suppressed${summary.key ? ` of ${summary.key}` : ""}`, [`summary of ${summary.integration}`]]
    : [`${text.count} × ${text.rule ?? ""} by ${text.principal ?? ""}`, [`count report of ${integration}`]];
}

/** Returns a row of the steps to a verdict. The row of a clause or condition begins with yes, no or a question mark. */
function step([label, says]) {
  const [, answer, clause, rest] = /^ {2}(yes|no|\?) +(?:([a-z-]+) +)?(.*)$/s.exec(says) ?? [];
  const parts = answer
    ? [element("b", answer, answer), " ", ...(clause ? [element("b", "", clause), " "] : []), ...words(rest)]
    : words(says);
  return element("li", answer ? "clause" : "", element("span", "stage", label), element("span", "", ...parts));
}

function body(row) {
  const made = element("div", "body");
  if (row.steps) made.append(element("ol", "steps", ...row.steps.map(step)));
  if (row.entry) made.append(pretty(row.sent ?? row.entry));
  if (row.line) {
    const go = element("button", "go", `Show the record, line ${row.line}`);
    go.type = "button";
    go.addEventListener("click", () => findings.reveal(row.line, 1));
    made.append(go);
  }
  return made;
}

/** Highlights the verdict of the caret's line. */
function follow() {
  const line = document.activeElement === findings.area ? findings.line : 0;
  for (const item of byId("list").children) {
    const current = Boolean(line) && item.dataset.line === String(line);
    if (current && !item.classList.contains("current")) item.scrollIntoView({block: "nearest"});
    item.classList.toggle("current", current);
  }
}
document.addEventListener("selectionchange", follow);

// Examples, arrival, theme, links.

for (const [name, text] of Object.entries(EXAMPLES.configs))
  byId("config-examples").append(new Option(name, text));
byId("config-examples").addEventListener("change", event => {
  config.replace(event.target.value);
  if (/^policy:/m.test(event.target.value) && !findings.text.includes("audit.k8s.io/")) {
    findings.text = [findings.text.trimEnd(), EXAMPLES.events].filter(Boolean).join("\n");
    run();
  }
  event.target.value = "";
});
for (const [name, text] of [...Object.entries(EXAMPLES.findings), ["audit events", EXAMPLES.events]]) {
  const add = element("button", "", name);
  add.type = "button";
  add.addEventListener("click", () => {
    const before = findings.text.trimEnd();
    findings.text = (before && before + "\n") + text;
    run();
  });
  byId("findings-examples").append(add);
}
byId("clear").addEventListener("click", () => findings.replace(""));
byId("arrival").addEventListener("change", () => { showArrival(); later(run); });
byId("at").addEventListener("input", () => { showArrival(); later(run); });
function showArrival() {
  byId("at").hidden = byId("arrival").value !== "at";
  byId("at").ariaInvalid = String(!byId("at").hidden && parse_time(byId("at").value) === undefined);
}

/** Stores the theme if the browser permits it. */
function theme(chosen) {
  document.documentElement.dataset.theme = chosen;
  try { localStorage.setItem("theme", chosen); } catch { /* the theme lasts until the page is closed */ }
}
for (const choice of document.querySelectorAll("[name=theme]"))
  choice.addEventListener("change", () => theme(choice.value));
try {
  const remembered = localStorage.getItem("theme");
  const choice = [...document.querySelectorAll("[name=theme]")].find(choice => choice.value === remembered);
  if (choice) { choice.checked = true; theme(remembered); }
} catch { /* as above */ }

function note(text) {
  byId("note").textContent = text;
  byId("note").hidden = !text;
}

/** Copies a link to the configuration and the findings, without secrets. */
async function share() {
  const state = {config: masked(config.text), findings: findings.text, arrival: byId("arrival").value, at: byId("at").value};
  history.replaceState(null, "", await toFragment(state));
  const hidden = state.config === config.text ? "" : " Tokens in it are overwritten.";
  const size = location.href.length > 8000 ? ` It has ${location.href.length.toLocaleString("en")} characters, which some programs truncate.` : "";
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  note(`${copied ? "Link copied." : "The link is in the address bar."} It contains the configuration and the findings.${hidden}${size}`);
}
byId("share").addEventListener("click", share);

async function show(state) {
  byId("arrival").value = state.arrival;
  byId("at").value = state.at;
  config.text = state.config;
  findings.text = state.findings;
  showArrival();
  await run();
}

async function fromLink() {
  const state = await fromFragment(location.hash);
  if (state) await show(state);
  else if (location.hash.startsWith(MARK)) note("The link is broken: it may have been truncated.");
  return state !== undefined;
}
addEventListener("hashchange", fromLink);

async function start() {
  const packed = fromBase64(byId("module").textContent);
  await wasm_bindgen({module_or_path: (await through(new DecompressionStream("gzip"), packed)).buffer});
  const beginning = {config: Object.values(EXAMPLES.configs)[0], findings: Object.values(EXAMPLES.findings).join(""), arrival: "record", at: ""};
  if (!await fromLink()) await show(beginning);
  return performance.now();
}
/** For tests of the page: milliseconds until it was ready, and its filter. */
window.playground = {ready: start(), filter};
window.playground.ready.catch(error => note(`The playground cannot start here: ${error}`));
