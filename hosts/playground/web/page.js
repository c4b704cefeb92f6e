const {check, records, parse_time, masked, Trial} = wasm_bindgen;
const EXAMPLES = JSON.parse(document.getElementById("examples").textContent);
const SEVERITIES = ["", "debug", "verbose", "info", "warn", "error", "critical"];
/** So many verdicts are listed at once; all are counted. */
const LISTED = 300;
/** How long a pause of typing is, milliseconds: for the page, and for who listens to it. */
const PAUSE = 120, HUSH = 900;
/** How long the filter works before it lets the page do something else, milliseconds. */
const SPELL = 40;

const byId = id => document.getElementById(id);
const config = new Editor(byId("config"), YAML, () => later(run));
const findings = new Editor(byId("findings"), JSON_TEXT, () => later(run));
/** What the last run told, and which part of it is shown: a verdict, or a verdict and its reason. */
let told = {rows: [], account: undefined}, wanted = "", listed = LISTED;

let timer;
function later(what) {
  clearTimeout(timer);
  timer = setTimeout(what, PAUSE);
}

/** Words with the parts between backticks as code. */
function words(text) {
  return text.split("`").map((part, index) => index % 2 ? element("code", "", part) : part);
}

// Records through a filter.

/**
 * Puts records, each `{text, at}`, through a new filter: a row for each verdict and for each entry of its own, and the
 * account. A record without `at` arrives at its finding's time, or else together with the record before. The page stays at hand meanwhile; nothing comes of it where it is no longer `wanted`.
 */
async function filter(configuration, list, wanted = () => true) {
  const trial = new Trial(configuration);
  try {
    const rows = [];
    const add = entries => { for (const entry of entries) rows.push({verdict: "own", entry}); };
    let rest = performance.now() + SPELL;
    let last = Date.now();
    for (const record of list) {
      if (performance.now() > rest) {
        await new Promise(done => setTimeout(done));
        if (!wanted()) return undefined;
        rest = performance.now() + SPELL;
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

/** The pasted records with the times of their arrival, unless those are the findings' own. */
function pasted() {
  const [way, fixed] = [byId("arrival").value, parse_time(byId("at").value)];
  const at = way === "record" ? undefined : way === "at" && fixed !== undefined ? fixed : Date.now();
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
      told = ran;
    } catch (mistakes) {
      // A file that `check` looks through, but a filter cannot be made of.
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
  hush = setTimeout(() => { byId("spoken").textContent = text; }, HUSH);
}

// Remarks about the configuration.

const RANKS = ["error", "warning", "advice"];

function showRemarks(report) {
  const {remarks, explained} = report;
  const worst = RANKS.find(level => remarks.some(remark => remark.level === level)) ?? "";
  const counts = [[report.errors, "error"], [report.warnings, "warning"]]
    .filter(([count]) => count).map(([count, word]) => `${count} ${word}${count > 1 ? "s" : ""}`);
  if (report.advice) counts.push(`${report.advice} ${report.advice > 1 ? "pieces" : "piece"} of advice`);
  byId("remarks-sum").textContent = counts.join(", ") || "Nothing to remark";
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

/** A text of paragraphs, the indented ones as they stand. */
function paragraphs(text) {
  return text.split("\n\n").map(part => part.startsWith("    ")
    ? element("pre", "", part.replaceAll(/^ {4}/gm, ""))
    : element("p", "", ...words(part)));
}

// The account and the verdicts.

function showVerdicts(stale) {
  const {rows, account} = told;
  byId("verdicts").classList.toggle("stale", stale);
  byId("account").classList.toggle("stale", stale);
  if (account) showAccount(account, rows);
  findings.tint(new Map(rows.filter(row => row.line).map(row => [row.line, row.verdict])));
  const keys = row => [row.verdict, `${row.verdict} ${row.reason ?? ""}`];
  if (wanted && !rows.some(row => keys(row).includes(wanted))) wanted = "";
  const shown = rows.filter(row => !wanted || keys(row).includes(wanted));
  byId("shown").textContent = stale ? "of the configuration before its errors"
    : wanted ? `${shown.length} of ${rows.length}` : "";
  const list = byId("list");
  const open = new Set([...list.querySelectorAll("li > details[open]")].map(it => it.parentElement.dataset.key));
  list.replaceChildren(...shown.slice(0, listed).map(verdictItem));
  // What somebody reads stays open while they type.
  for (const item of list.children) item.firstChild.open = open.has(item.dataset.key);
  if (shown.length > listed) {
    const more = element("button", "", `${shown.length - listed} more`);
    more.type = "button";
    more.addEventListener("click", () => { listed += LISTED; showVerdicts(stale); });
    list.append(element("li", "empty", more));
  }
  if (!rows.length) list.append(element("li", "empty", "Paste findings, or add some examples, and read here what becomes of each."));
  follow();
}

function showAccount(account, rows) {
  const parts = [["kept", account.kept.total], ["dropped", account.dropped.total], ["suppressed", account.suppressed], ["passed", account.passed]];
  const sum = [element("b", "", String(account.records)), account.records === 1 ? " record" : " records"];
  if (account.batches) {
    sum.push(" + ", element("b", "", String(account["batch-items"])), " batch items");
    parts.push([account.batches === 1 ? "batch" : "batches", account.batches]);
  }
  parts.forEach(([name, count], index) => sum.push(element("span", "", index ? " + " : " = "), element("b", name, `${count} ${name}`)));
  byId("sum").replaceChildren(...sum);
  const reasons = Object.entries(account.dropped).filter(([reason, count]) => reason !== "total" && count > 0);
  const segments = [["kept", account.kept.total], ...reasons.map(([, count]) => ["dropped", count]),
    ["suppressed", account.suppressed], ["passed", account.passed]];
  byId("bar").replaceChildren(...segments.filter(([, count]) => count).map(([name, count]) => {
    const segment = element("i", name);
    segment.style.flexGrow = count;
    return segment;
  }));
  const own = rows.filter(row => row.verdict === "own").length;
  const helps = new Map(rows.map(row => [row.reason, row.help]));
  const chips = [["kept", "kept", account.kept.total, ""],
    ...reasons.map(([reason, count]) => ["dropped", `dropped ${reason}`, count, helps.get(reason) ?? ""]),
    ["suppressed", "suppressed", account.suppressed, "held back by rate limits"],
    ["passed", "passed", account.passed, "no findings, left as they are"],
    ["own", "own", own, "summaries of what was suppressed, and count reports"]];
  const names = {own: "the filter's own"};
  const focused = document.activeElement?.dataset?.key;
  byId("legend").replaceChildren(...chips.filter(([, , count]) => count).map(([name, key, count, help]) => {
    const chip = element("button", name, element("span", "", names[key] ?? key.replace(/^dropped /, "")), element("b", "", String(count)));
    chip.type = "button";
    chip.title = help.replaceAll("`", "");
    chip.dataset.key = key;
    chip.ariaPressed = String(wanted === key);
    chip.ariaLabel = `${name === "dropped" ? "dropped, " : ""}${chip.textContent}: show these alone`;
    chip.addEventListener("click", () => {
      [wanted, listed] = [wanted === key ? "" : key, LISTED];
      showVerdicts(byId("verdicts").classList.contains("stale"));
    });
    return element("li", "", chip);
  }));
  if (focused) document.querySelector(`#legend [data-key="${focused}"]`)?.focus();
  const entries = `${account.entries} ${account.entries === 1 ? "entry leaves" : "entries leave"}`;
  const changed = ["clamped", "truncated", "redacted"].filter(name => account[name]).map(name => `${account[name]} ${name}`);
  byId("legend").append(element("li", "text", [entries, ...changed].join(" · ")));
}

function verdictItem(row) {
  const entry = row.entry && JSON.parse(row.entry);
  const severity = SEVERITIES[entry?.severity] ?? "";
  const [title, sub] = row.verdict === "own" ? ofItsOwn(entry) : ofRecord(row);
  const summary = element("summary", "",
    element("span", `badge ${row.verdict}`, row.verdict === "own" ? "added" : row.verdict),
    element("span", "title", title),
    element("span", `side ${severity === "error" ? "severe" : severity}`, severity),
    element("span", "sub", ...sub));
  const details = element("details", "", summary);
  // What is inside is made when it is asked for.
  details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) details.append(body(row)); });
  const item = element("li", "", details);
  item.dataset.key = row.line ? `${row.line}.${row.item}` : row.entry;
  if (row.line) item.dataset.line = row.line;
  return item;
}

/** The title of a record's row, and what stands below it. */
function ofRecord(row) {
  const {eid, principal, username, cluster} = row.fields;
  const title = row.fields["short-doc"] ?? row.fields.rule ?? row.fields.verb ?? row.text.slice(0, 200);
  const item = row.items > 1 && `item ${row.item + 1} of ${row.items}`;
  const who = [eid ?? principal ?? username, cluster, `line ${row.line}`, item].filter(Boolean).join(" · ");
  return [title, row.reason ? [element("b", "", row.reason), " · ", who] : [who]];
}

/** The same of an entry that is the filter's own. */
function ofItsOwn(entry) {
  const text = typeof entry.text === "string" ? JSON.parse(entry.text) : entry.text;
  const {summary, integration} = text.kaudit_filter;
  return summary
    ? [`${summary.suppressed} suppressed${summary.key ? ` of ${summary.key}` : ""}`, [`summary of ${summary.integration}`]]
    : [`${text.count} × ${text.rule ?? ""} by ${text.principal ?? ""}`, [`count report of ${integration}`]];
}

/** A row of the way to a verdict. What a clause was asked begins with yes or no. */
function step([label, says]) {
  const [, answer, clause, rest] = /^ {2}(yes|no) +(\S+) +(.*)$/s.exec(says) ?? [];
  const told = answer
    ? [element("b", answer, answer), " ", element("b", "", clause), " ", ...words(rest)]
    : words(says);
  return element("li", answer ? "clause" : "", element("span", "stage", label), element("span", "", ...told));
}

function body(row) {
  const made = element("div", "body");
  if (row.steps) made.append(element("ol", "steps", ...row.steps.map(step)));
  if (row.entry) made.append(pretty(row.entry));
  if (row.line) {
    const go = element("button", "go", `Show the record, line ${row.line}`);
    go.type = "button";
    go.addEventListener("click", () => findings.reveal(row.line, 1));
    made.append(go);
  }
  return made;
}

/** Shows which verdict is of the line in which the caret stands. */
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
  event.target.value = "";
});
for (const [name, text] of Object.entries(EXAMPLES.findings)) {
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

/** Remembers the theme where the browser lets a page remember. */
function theme(chosen) {
  document.documentElement.dataset.theme = chosen;
  try { localStorage.setItem("theme", chosen); } catch { /* it lasts as long as the page */ }
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

/** Copies a link to what stands here; without secrets, which nobody means to send on. */
async function share() {
  const state = {config: masked(config.text), findings: findings.text, arrival: byId("arrival").value, at: byId("at").value};
  history.replaceState(null, "", await toFragment(state));
  const hidden = state.config === config.text ? "" : " Tokens in it are overwritten.";
  const size = location.href.length > 8000 ? ` It has ${location.href.length.toLocaleString("en")} characters, which some programs cut.` : "";
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  note(`${copied ? "Link copied." : "The link stands in the address bar."} It holds the configuration and the findings.${hidden}${size}`);
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
  else if (location.hash.startsWith(MARK)) note("The link is broken: it may have been cut.");
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
/** For who drives the page: milliseconds until it was ready, and its filter. */
window.playground = {ready: start(), filter};
window.playground.ready.catch(error => note(`The playground cannot start here: ${error}`));
