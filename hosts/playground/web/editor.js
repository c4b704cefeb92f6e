/** An element with a class and a text; what was typed or pasted is never read as HTML. */
function element(name, className, ...contents) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...contents);
  return made;
}

// The classes of characters: a text, a comment, a key, a number.
const YAML = /(?<s>"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*')|(?<c>(?<=^|\s)#.*)|(?<k>[\w./-]+)(?=:(?:\s|$))/gm;
const JSON_TEXT = /(?<k>"(?:[^"\\]|\\.)*"(?=\s*:))|(?<s>"(?:[^"\\]|\\.)*")|(?<n>-?\b\d[\d.eE+-]*\b|\b(?:true|false|null)\b)/g;
/** Longer texts are not coloured, so that typing stays fast. */
const COLOURED = 200_000;

/** Returns the text with its parts coloured. */
function coloured(text, grammar) {
  const made = document.createDocumentFragment();
  let at = 0;
  for (const found of text.length > COLOURED ? [] : text.matchAll(grammar)) {
    const [kind] = Object.entries(found.groups).find(([, part]) => part !== undefined);
    made.append(text.slice(at, found.index), element("span", kind, found[0]));
    at = found.index + found[0].length;
  }
  made.append(text.slice(at));
  return made;
}

/** A textarea over layers of the same letters: their colours, and marks under some of them. */
class Editor {
  constructor(host, grammar, changed) {
    this.host = host;
    this.grammar = grammar;
    this.gutter = element("div", "gutter");
    this.letters = element("pre", "letters");
    this.marks = element("pre", "marks");
    for (const layer of [this.gutter, this.letters, this.marks]) layer.ariaHidden = "true";
    this.area = element("textarea");
    Object.assign(this.area, {spellcheck: false, autocomplete: "off", autocapitalize: "off", wrap: "off",
      placeholder: host.dataset.placeholder ?? "", ariaLabel: host.dataset.label});
    if (host.dataset.describedby) this.area.setAttribute("aria-describedby", host.dataset.describedby);
    const stack = element("div", "stack", this.letters, this.marks, this.area);
    host.append(this.gutter, stack);
    host.addEventListener("pointerdown", event => {
      if (event.target === host || event.target === stack) { event.preventDefault(); this.area.focus(); }
    });
    this.area.addEventListener("input", () => { this.draw(); changed(); });
  }

  get text() { return this.area.value; }

  set text(text) {
    this.area.value = text;
    this.draw();
  }

  /** Replaces the text as typing does, so that it can be undone. */
  replace(text) {
    this.area.focus();
    this.area.select();
    if (!document.execCommand("insertText", false, text)) {
      this.text = text;
      this.area.dispatchEvent(new Event("input"));
    }
    this.area.setSelectionRange(0, 0);
    this.host.scrollTo(0, 0);
  }

  draw() {
    // The last line counts even when it is empty.
    this.letters.replaceChildren(coloured(this.text, this.grammar), "\n");
    const lines = this.text.split("\n").length;
    while (this.gutter.childElementCount > lines) this.gutter.lastChild.remove();
    while (this.gutter.childElementCount < lines)
      this.gutter.append(element("span", "", String(this.gutter.childElementCount + 1)));
    this.mark([]);
  }

  /** Underlines parts of lines: `{line, column, width, level}`, from 1, in characters. */
  mark(marks) {
    const lines = this.text.split("\n");
    const made = document.createDocumentFragment();
    let at = 1;
    for (const {line, column, width, level} of [...marks].sort((a, b) => a.line - b.line || a.column - b.column)) {
      if (line < at) continue;
      const letters = Array.from(lines[line - 1] ?? "");
      const [before, under] = [letters.slice(0, column - 1), letters.slice(column - 1, column - 1 + width)];
      made.append("\n".repeat(line - at), before.join(""), element("span", level, under.join("") || " "), "\n");
      at = line + 1;
    }
    this.marks.replaceChildren(made);
  }

  /** Gives each of these lines, from 1, a class in the gutter: a map from lines to classes. */
  tint(classes) {
    [...this.gutter.children].forEach((line, index) => { line.className = classes.get(index + 1) ?? ""; });
  }

  /** Returns the line, from 1, of the caret. */
  get line() {
    return this.text.slice(0, this.area.selectionStart).split("\n").length;
  }

  /** Moves the caret to a position and scrolls it into view. */
  reveal(line, column) {
    const before = this.text.split("\n").slice(0, line - 1).join("\n");
    const text = this.text.split("\n")[line - 1] ?? "";
    const at = before.length + (line > 1 ? 1 : 0) + Array.from(text).slice(0, column - 1).join("").length;
    this.area.focus({preventScroll: true});
    this.area.setSelectionRange(at, at);
    const height = this.gutter.firstChild.offsetHeight;
    this.host.scrollTop = (line - 1) * height - this.host.clientHeight / 2 + height;
    this.host.scrollLeft = 0;
    this.host.scrollIntoView({block: "nearest"});
  }
}

/** Returns a JSON text on several lines, coloured; the spelling of its numbers is unchanged. */
function pretty(json) {
  let depth = 0;
  const indent = () => "\n" + "  ".repeat(depth);
  const parts = json.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? [];
  let out = "";
  parts.forEach((part, index) => {
    const empty = "{[".includes(part) && "}]".includes(parts[index + 1]);
    if ("{[".includes(part)) { depth += 1; out += part + (empty ? "" : indent()); }
    else if ("}]".includes(part)) { depth -= 1; out += ("{[".includes(parts[index - 1]) ? "" : indent()) + part; }
    else out += part === "," ? part + indent() : part === ":" ? ": " : part;
  });
  return element("pre", "json", coloured(out, JSON_TEXT));
}
